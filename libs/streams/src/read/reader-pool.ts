import type { RedisConnection, Topology } from '@millrace/redis';

/** Subscriptions of one process that may wait inside Redis at once, each on a connection of its own. */
export const MOST_READERS = 8;

/** The connections on which the busy subscriptions of a process read: few, kept, and lent to one at a time. */
export class ReaderPool {
  readonly #redis: Topology;
  /** By the shared connection to the same keys. */
  readonly #free = new Map<RedisConnection, RedisConnection[]>();
  readonly #waiting = new Set<() => void>();
  #count = 0;

  constructor(redis: Topology) {
    this.#redis = redis;
  }

  /**
   * Lends one that is ready and leads to a key, and to those that share its connection. Null when there is none: all are lent, or
   * Redis takes no more connections. One at a time is made, for whoever asks next.
   *
   * @param onReady called once, when one has become ready and none was now: it pays to ask again
   */
  take(key: string, onReady: () => void): RedisConnection | null {
    const free = this.#freeFor(key);
    const ready = free.findIndex(({ isReady }) => isReady);
    if (ready >= 0) return free.splice(ready, 1)[0]!;
    this.#waiting.add(onReady);
    if (free.length === 0 && this.#count < MOST_READERS) free.push(this.#made(key));
    return null;
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

  #made(key: string): RedisConnection {
    this.#count += 1;
    const reader = this.#redis.blockingFor(key, 'read');
    reader.watch({ ready: () => this.#ready(), lost: nothing, message: nothing });
    return reader;
  }

  #ready(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const onReady of waiting) onReady();
  }

  #freeFor(key: string): RedisConnection[] {
    const shared = this.#redis.publishFor(key);
    const free = this.#free.get(shared) ?? [];
    this.#free.set(shared, free);
    return free;
  }
}

function nothing(): void {
  // Whoever reads on it finds out.
}
