import { type Duration, durationMs } from '../duration.js';
import { asError, type ErrorCode, isMillraceError, NoIdempotencyKeyError, UnreadablePayloadError } from '../errors.js';
import { emit, type EventPlace } from '../events.js';
import { backoffDelayMs, type Backoff, type CustomBackoff, DEFAULT_BACKOFF } from './backoff.js';
import { errorRecord } from './error-record.js';
import { DeadLetter, Discard, type GiveUpReason, type Outcome, RetryLater } from './outcome.js';

export type ErrorClass = abstract new (...args: never[]) => Error;

/** The policy for a message whose handler failed. */
export interface RetryPolicy {
  /** Attempts in all, the first one included. */
  readonly attempts: number;
  readonly backoff: Backoff;
  /** Error classes that are never worth another attempt. */
  readonly deadLetterOn: readonly ErrorClass[];
  /** Error classes that end the message as handled. */
  readonly discardOn?: readonly ErrorClass[];
  /** Other attempts and back-offs for some errors: the first rule that fits counts. */
  readonly on?: readonly RetryRule[];
  /** How long a message of an unknown type or a newer version is tried before it is given up. Absent: not at all. */
  readonly unknownForMs?: number;
  /** Whose policy it is, for events. */
  readonly place?: EventPlace;
}

/** A rule for one class of errors. Parts that are left out are those of the policy. All attempts of the message count. */
export interface RetryRule {
  readonly error: ErrorClass;
  readonly attempts?: number;
  readonly backoff?: Backoff;
}

/** Failures that no later attempt can mend, because the stored message itself is at fault. */
const HOPELESS: readonly (ErrorCode & GiveUpReason)[] = ['MALFORMED_ENVELOPE', 'UNSUPPORTED_VERSION'];

/** The outcome of attempt number `attempt`, which threw `thrown`: the first line that fits decides. Never throws. */
export function outcomeOfFailure(policy: RetryPolicy, attempt: number, thrown: unknown): Outcome {
  const failure = asError(thrown);
  if (failure instanceof Discard) return { kind: 'ack', discarded: true };
  const error = errorRecord(failure);
  const hopeless = reasonToGiveUp(policy, failure);
  if (hopeless !== null) return { kind: 'dead-letter', reason: hopeless, error };
  if (isAnyOf(policy.discardOn, failure)) return { kind: 'ack', discarded: true };
  const rule = policy.on?.find((each) => isInstance(failure, each.error));
  if (attempt >= (rule?.attempts ?? policy.attempts)) return { kind: 'dead-letter', reason: 'ATTEMPTS_EXHAUSTED', error };
  if (failure instanceof RetryLater) return { kind: 'retry', delayMs: failure.delayMs, error, isAskedFor: true };
  const failed = { failure, failures: attempt, place: policy.place };
  return { kind: 'retry', delayMs: delayMsOf(rule?.backoff ?? policy.backoff, failed), error };
}

interface FailedAttempt {
  readonly failure: Error;
  readonly failures: number;
  readonly place: EventPlace | undefined;
}

function delayMsOf(backoff: Backoff, { failure, failures, place }: FailedAttempt): number {
  if (backoff.kind !== 'custom') return backoffDelayMs(backoff, failures);
  try {
    return customDelayMs(backoff, failures, failure);
  } catch (thrown) {
    emit('backoff-failed', { ...place, failures, error: errorRecord(thrown) });
    return backoffDelayMs(DEFAULT_BACKOFF, failures);
  }
}

function customDelayMs({ delay }: CustomBackoff, failures: number, failure: Error): number {
  const chosen: unknown = delay(failures, failure);
  // A promise is no duration; its rejection must not end the process.
  if (chosen instanceof Promise) chosen.catch(() => undefined);
  return durationMs(chosen as Duration);
}

/** Why another attempt would be in vain, as a word for programs; null when it may help. */
function reasonToGiveUp(policy: RetryPolicy, failure: Error): GiveUpReason | null {
  if (failure instanceof DeadLetter) return 'DEAD_LETTERED_BY_HANDLER';
  // A handler that publishes something invalid throws INVALID_PAYLOAD too, and its message is not at fault then.
  if (failure instanceof UnreadablePayloadError) return 'INVALID_PAYLOAD';
  if (failure instanceof NoIdempotencyKeyError) return 'NO_IDEMPOTENCY_KEY';
  const hopeless = isMillraceError(failure) ? HOPELESS.find((code) => code === failure.code) : undefined;
  return hopeless ?? (isAnyOf(policy.deadLetterOn, failure) ? 'DEAD_LETTER_ON' : null);
}

function isAnyOf(types: readonly ErrorClass[] = [], failure: Error): boolean {
  return types.some((type) => isInstance(failure, type));
}

/** An arrow function has no instances: to ask would throw. */
function isInstance(failure: Error, type: ErrorClass): boolean {
  return typeof type === 'function' && typeof type.prototype === 'object' && failure instanceof type;
}
