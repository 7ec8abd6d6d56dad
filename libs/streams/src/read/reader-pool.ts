import type { RedisConnection, Topology } from '@millrace/redis';

/** Most subscriptions of one process that wait inside Redis at once, each on a connection of its own. */
export const MOST_READERS = 8;

/** The connections on which busy subscriptions of a process read. There are few; each is kept, and lent to one at a time. */
export class ReaderPool {
  readonly #redis: Topology;
  /** Free readers by the shared connection to the same keys. */
  readonly #free = new Map<RedisConnection, RedisConnection[]>();
  readonly #waiting = new Set<() => void>();
  #count = 0;

  constructor(redis: Topology) {
    this.#redis = redis;
  }

  /**
   * Lends a connection that is ready and leads to this key, and to all keys that share its connection. Null when there is none,
   * since all are lent, or Redis takes no more connections. A new one is made then, one at a time, for the next caller.
   *
   * @param onReady called once, when none was ready now and one has become ready: the caller may ask again
   */
  take(key: string, onReady: () => void): RedisConnection | null {
    const free = this.#freeFor(key);
    const ready = free.findIndex(({ isReady }) => isReady);
    if (ready >= 0) return free.splice(ready, 1)[0]!;
    this.#waiting.add(onReady);
    if (free.length > 0) return null;
    if (this.#count === MOST_READERS) this.#discardFree();
    if (this.#count < MOST_READERS) free.push(this.#made(key));
    return null;
  }

  /**
   * Takes a connection back on which no read is under way any more.
   *
   * @param key the key that it was taken for
   */
  giveBack(reader: RedisConnection, key: string): void {
    this.#freeFor(key).push(reader);
  }

  /** Closes a connection on which a read may still be under way. */
  discard(reader: RedisConnection): void {
    this.#count -= 1;
    reader.close();
  }

  close(): void {
    for (const free of this.#free.values()) for (const reader of free.splice(0)) this.discard(reader);
  }

  /** One that leads to other keys and that nobody reads on, so that those who were busy first do not keep all. */
  #discardFree(): void {
    const spare = [...this.#free.values()].find((free) => free.length > 0)?.shift();
    if (spare) this.discard(spare);
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
  // The subscription that reads on it finds out.
}
