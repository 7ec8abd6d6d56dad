import { asError, type ErrorCode, isMillraceError, UnreadablePayloadError } from '../errors.js';
import { backoffDelayMs, type Backoff } from './backoff.js';
import { errorRecord } from './error-record.js';
import { DeadLetter, Discard, type Outcome, RetryLater } from './outcome.js';

/** What happens to a message whose handler failed. */
export interface RetryPolicy {
  /** Attempts in all, the first one included. */
  readonly attempts: number;
  readonly backoff: Backoff;
  /** Error classes that are never worth another attempt. */
  readonly deadLetterOn: readonly (abstract new (...args: never[]) => Error)[];
}

/** Failures that no later attempt can mend: the stored message itself is at fault. */
const HOPELESS: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['MALFORMED_ENVELOPE', 'UNSUPPORTED_VERSION']);

/** The outcome of attempt number `attempt`, which threw `thrown`: the first line that fits decides. Never throws. */
export function outcomeOfFailure(policy: RetryPolicy, attempt: number, thrown: unknown): Outcome {
  const failure = asError(thrown);
  if (failure instanceof Discard) return { kind: 'ack', discarded: true };
  const error = errorRecord(failure);
  const reason = reasonToGiveUp(policy, failure) ?? (attempt >= policy.attempts ? 'ATTEMPTS_EXHAUSTED' : null);
  if (reason !== null) return { kind: 'dead-letter', reason, error };
  return { kind: 'retry', delayMs: failure instanceof RetryLater ? failure.delayMs : backoffDelayMs(policy.backoff, attempt), error };
}

/** Why another attempt would be in vain, as a stable word; null when it may help. */
function reasonToGiveUp(policy: RetryPolicy, failure: Error): string | null {
  if (failure instanceof DeadLetter) return 'DEAD_LETTERED_BY_HANDLER';
  // A handler that publishes something invalid throws INVALID_PAYLOAD too: then not the message is at fault.
  if (failure instanceof UnreadablePayloadError) return failure.code;
  if (isMillraceError(failure) && HOPELESS.has(failure.code)) return failure.code;
  return policy.deadLetterOn.some((type) => isInstance(failure, type)) ? 'DEAD_LETTER_ON' : null;
}

/** An arrow function has no instances: to ask would throw. */
function isInstance(failure: Error, type: abstract new (...args: never[]) => Error): boolean {
  return typeof type === 'function' && typeof type.prototype === 'object' && failure instanceof type;
}
