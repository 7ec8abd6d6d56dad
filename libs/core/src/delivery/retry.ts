import { MillraceError } from '../errors.js';
import { durationMs } from '../duration.js';
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

/** Codes of failures that no later attempt can mend: the message itself is at fault. */
const HOPELESS = new Set(['INVALID_PAYLOAD', 'MALFORMED_ENVELOPE', 'UNSUPPORTED_VERSION']);

/** The outcome of attempt number `attempt`, which threw `thrown`. */
export function outcomeOfFailure(policy: RetryPolicy, attempt: number, thrown: unknown): Outcome {
  if (thrown instanceof Discard) return { kind: 'ack', discarded: true };
  const error = errorRecord(thrown);
  if (thrown instanceof DeadLetter) return { kind: 'dead-letter', reason: 'DEAD_LETTERED_BY_HANDLER', error };
  if (thrown instanceof MillraceError && HOPELESS.has(thrown.code)) return { kind: 'dead-letter', reason: thrown.code, error };
  if (policy.deadLetterOn.some((type) => thrown instanceof type)) return { kind: 'dead-letter', reason: 'DEAD_LETTER_ON', error };
  if (attempt >= policy.attempts) return { kind: 'dead-letter', reason: 'ATTEMPTS_EXHAUSTED', error };
  const delayMs = thrown instanceof RetryLater ? durationMs(thrown.delay) : backoffDelayMs(policy.backoff, attempt);
  return { kind: 'retry', delayMs, error };
}
