import type { RedisConnection, RedisConnections } from '@millrace/redis';

/** Subscriptions of one process that may wait inside Redis at once, each on a connection of its own. */
export const MOST_READERS = 8;

/** The connections on which the busy subscriptions of a process read: few, kept, and lent to one at a time. */
export class ReaderPool {
  readonly #redis: RedisConnections;
  readonly #free: RedisConnection[] = [];
  readonly #waiting = new Set<() => void>();
  #count = 0;

  constructor(redis: RedisConnections) {
    this.#redis = redis;
  }

  /**
   * Lends one that is ready. Null when there is none: all are lent, or Redis takes no more connections. One at a time is made,
   * for whoever asks next.
   *
   * @param onReady called once, when one has become ready and none was now: it pays to ask again
   */
  take(onReady: () => void): RedisConnection | null {
    const ready = this.#free.findIndex(({ isReady }) => isReady);
    if (ready >= 0) return this.#free.splice(ready, 1)[0]!;
    this.#waiting.add(onReady);
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
    const reader = this.#redis.blocking('read');
    reader.watch({ ready: () => this.#ready(), lost: nothing, message: nothing });
    this.#free.push(reader);
  }

  #ready(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const onReady of waiting) onReady();
  }
}

function nothing(): void {
  // Whoever reads on it finds out.
}
