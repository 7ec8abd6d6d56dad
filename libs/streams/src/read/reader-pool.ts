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

  /** Null when all are lent. */
  take(): RedisConnection | null {
    const free = this.#free.pop();
    if (free) return free;
    if (this.#count >= MOST_READERS) return null;
    this.#count += 1;
    return this.#redis.blocking('read');
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
}
