import type { RedisConnection, Topology } from '@millrace/redis';

/** Subscriptions of one process that may wait inside Redis at once, each on a connection of its own. */
export const MOST_READERS = 8;

/** The connections on which the busy subscriptions of a process read: few, kept, and lent to one at a time. */
export class ReaderPool {
  readonly #redis: Topology;
  /** By the shared connection to the same keys. */
  readonly #free = new Map<RedisConnection, RedisConnection[]>();
  #count = 0;

  constructor(redis: Topology) {
    this.#redis = redis;
  }

  /** A connection that leads to a key, and to those that share its connection; null when all are lent. */
  take(key: string): RedisConnection | null {
    const free = this.#freeFor(key).pop();
    if (free) return free;
    if (this.#count >= MOST_READERS) return null;
    this.#count += 1;
    return this.#redis.blockingFor(key, 'read');
  }

  /**
   * No read is under way on it any more.
   *
   * @param key the one that it was taken for
   */
  giveBack(reader: RedisConnection, key: string): void {
    this.#freeFor(key).push(reader);
  }

  /** A read may be under way on it still. */
  discard(reader: RedisConnection): void {
    this.#count -= 1;
    reader.close();
  }

  close(): void {
    for (const free of this.#free.values()) for (const reader of free.splice(0)) this.discard(reader);
  }

  #freeFor(key: string): RedisConnection[] {
    const shared = this.#redis.publishFor(key);
    const free = this.#free.get(shared) ?? [];
    this.#free.set(shared, free);
    return free;
  }
}
