import type { PublishResult } from '../delivery/ports.js';
import type { StoredHalf } from './half-port.js';

interface HalfMessageParts {
  readonly id: string;
  readonly topic: string;
  readonly key: string | null;
  readonly stored: StoredHalf;
}

/**
 * A message that Redis has and no group sees: it becomes one of its topic by {@link commit}, or is dropped by {@link rollback}.
 * When neither comes in time, the `@TransactionCheck` of its topic is asked, in whichever process has one.
 */
export class HalfMessage {
  readonly id: string;
  /** The name of its topic. */
  readonly topic: string;
  readonly key: string | null;
  readonly #stored: StoredHalf;

  constructor({ id, topic, key, stored }: HalfMessageParts) {
    this.id = id;
    this.topic = topic;
    this.key = key;
    this.#stored = stored;
    Object.freeze(this);
  }

  /**
   * Publishes the message, once: a repeated commit has the same result. A full topic does not refuse it, as it had room for the
   * half message. When it rejects with anything but the first two, it may be repeated; if nobody does, the check decides.
   *
   * @throws TransactionEndedError it was rolled back, by {@link rollback}, by a check or by an operator
   * @throws IdempotencyMismatchError its idempotency key was used for another payload: nothing was stored, and it is gone
   * @throws IndefinitePublishError Redis did not answer, or not enough for the durability: it may be stored
   * @throws MillraceError PUBLISH_REFUSED Redis could not be asked in time
   */
  commit(): Promise<PublishResult> {
    return this.#stored.commit();
  }

  /**
   * Drops the message; a repeated rollback changes nothing. If it rejects with anything but the first, and nobody repeats it,
   * the check decides.
   *
   * @throws TransactionEndedError it was committed
   * @throws MillraceError PUBLISH_REFUSED Redis could not be asked in time
   */
  rollback(): Promise<void> {
    return this.#stored.rollback();
  }
}
