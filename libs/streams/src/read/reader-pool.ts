import type { RedisConnection, RedisConnections } from '@millrace/redis';

/** Subscriptions of one process that may wait inside Redis at once, each on a connection of its own. */
export const MOST_READERS = 8;

/** The connections on which the busy subscriptions of a process read: few, kept, and lent to one at a time. */
export class ReaderPool {
  readonly #redis: RedisConnections;
  readonly #free: RedisConnection[] = [];
  #count = 0;

  constructor(redis: RedisConnections) {
    this.#redis = redis;
  }

  /**
   * Lends one that is ready. Null when there is none: all are lent, or Redis takes no more connections. One at a time is made,
   * for whoever asks next.
   */
  take(): RedisConnection | null {
    const ready = this.#free.findIndex(({ isReady }) => isReady);
    if (ready >= 0) return this.#free.splice(ready, 1)[0]!;
    if (this.#free.length === 0 && this.#count < MOST_READERS) this.#add();
    return null;
  }

  /** No read is under way on it any more. */
  giveBack(reader: RedisConnection): void {
    this.#free.push(reader);
  }

  /** A read may be under way on it still. */
  discard(reader: RedisConnection): void {
    this.#count -= 1;
    reader.close();
  }

  close(): void {
    for (const reader of this.#free.splice(0)) this.discard(reader);
  }

  #add(): void {
    this.#count += 1;
    this.#free.push(this.#redis.blocking('read'));
  }
}
