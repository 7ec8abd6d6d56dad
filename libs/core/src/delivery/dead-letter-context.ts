import { DeliveryContext } from './context.js';
import type { DeadLetterDelivery } from './delivery.js';
import type { ErrorRecord, GiveUpReason } from './outcome.js';

/**
 * The second argument of a handler of dead letters: everything about the dead letter beside its payload. For an entry that
 * holds no readable message, the id is empty and `publishedAt` is an invalid date.
 */
export class DeadLetterContext extends DeliveryContext {
  /** A word for programs, of a closed list: `ATTEMPTS_EXHAUSTED`, `INVALID_PAYLOAD`, ... */
  readonly reason: GiveUpReason;
  /** The error of the last attempt, or the error that kept the message from its handler. */
  readonly error: ErrorRecord;
  /** Attempts of the message; `attempt` counts the calls of this handler. */
  readonly attempts: number;
  /** Crashes of the message. */
  override readonly crashes: number;
  readonly firstFailedAt: Date;
  readonly deadLetteredAt: Date;
  /** Unique among the dead letters of the group on the topic; a redrive takes it. */
  readonly deadLetterId: string;
  /** False: the payload is the parsed JSON as it was found, no instance of the class. */
  readonly payloadIsValid: boolean;
  readonly #toldBefore: boolean;

  constructor(delivery: DeadLetterDelivery, own: { readonly isValid: boolean; readonly limit?: AbortSignal | undefined }) {
    super(delivery, own);
    const { deadLetter } = delivery;
    this.reason = deadLetter.reason;
    this.error = deadLetter.error;
    this.attempts = deadLetter.attempts;
    this.crashes = deadLetter.crashes;
    this.firstFailedAt = new Date(deadLetter.firstFailedAt);
    this.deadLetteredAt = new Date(deadLetter.deadLetteredAt);
    this.deadLetterId = deadLetter.id;
    this.payloadIsValid = own.isValid;
    this.#toldBefore = delivery.attempt > 1 || delivery.crashes > 0;
  }

  /** True when the handler may have been called for this dead letter before. */
  override get redelivered(): boolean {
    return this.#toldBefore;
  }
}
