import { type Duration, durationMs } from '../duration.js';
import type { ErrorDetails } from './error-details.js';
import type { Forward } from './forward.js';

/** An error as it is stored with a dead letter: plain data, bounded to some 60 KB, without what looks like a secret. */
export interface ErrorRecord extends ErrorDetails {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  /** With those of the causes behind it. */
  readonly stack?: string;
  /** The errors that this one is made of, as an `AggregateError`; ten errors are kept inside one, in all. */
  readonly errors?: readonly ErrorRecord[];
  readonly cause?: ErrorRecord;
}

/** Why a message is given up. The list is closed: programs may switch over it, and a redrive may select by it. */
export const DEAD_LETTER_REASONS = [
  'ATTEMPTS_EXHAUSTED',
  'DEAD_LETTERED_BY_HANDLER',
  'DEAD_LETTER_ON',
  'INVALID_PAYLOAD',
  'MALFORMED_ENVELOPE',
  'UNSUPPORTED_VERSION',
  'UNKNOWN_MESSAGE_TYPE',
  'NO_KEY',
  'NO_IDEMPOTENCY_KEY',
  'CRASH_LOOP',
  'HANDLER_DEFECT',
] as const;

export type GiveUpReason = (typeof DEAD_LETTER_REASONS)[number];

/**
 * The outcome of one delivery. The pipeline turns a handler's return and its exceptions into one of these, and the engine
 * settles it in one place.
 *
 * - `ack`: handled. `deduplicated` says that the inbox or the ledger had seen the message, so that the handler did not run
 *   again; `discarded` that the handler refused it on purpose; `expired` that its time to live was over, so that the handler did
 *   not run; `filtered` that the subscription is not for it. `forwards` go out exactly when this outcome is settled.
 * - `retry`: to be handled again after `delayMs`, as the next attempt, or as the same where the handler did not run.
 *   `isAskedFor`: by the handler itself, with {@link RetryLater}.
 * - `dead-letter`: given up; `reason` is one of {@link DEAD_LETTER_REASONS}.
 * - `release`: not begun, as nothing may begin here any more, or given up. It goes back to the group at once, or comes again
 *   after `delayMs` where it is busy elsewhere, and no attempt counts. `fencedBy` is the epoch of another owner of the partition,
 *   which the SQL database knows and this one is not above.
 */
export type Outcome =
  | ({ readonly kind: 'ack'; readonly forwards?: readonly Forward[] } & {
      readonly [How in 'deduplicated' | 'discarded' | 'expired' | 'filtered']?: boolean;
    })
  | { readonly kind: 'retry'; readonly delayMs: number; readonly error: ErrorRecord } & {
      readonly [How in 'sameAttempt' | 'isAskedFor']?: true;
    }
  | { readonly kind: 'dead-letter'; readonly reason: GiveUpReason; readonly error: ErrorRecord }
  | { readonly kind: 'release'; readonly fencedBy?: number; readonly delayMs?: number };

/** Throw it to have the message delivered again after `delay`, whatever the retry policy says. It counts as an attempt. */
export class RetryLater extends Error {
  /** `delay` in whole milliseconds. */
  readonly delayMs: number;

  /** @throws MillraceError INVALID_OPTIONS when `delay` is no duration */
  constructor(
    readonly delay: Duration,
    message = `to be retried after ${delay}`,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'RetryLater';
    this.delayMs = durationMs(delay);
  }
}

/** Throw it to move the message to the group's dead letters at once. */
export class DeadLetter extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'DeadLetter';
  }
}

/** Throw it to drop the message: it is acknowledged and counted as discarded. */
export class Discard extends Error {
  constructor(message = 'discarded by the handler', options?: ErrorOptions) {
    super(message, options);
    this.name = 'Discard';
  }
}
