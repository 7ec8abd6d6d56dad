import type { RedisConnection } from '@millrace/redis';

/** How old a sample may be: Redis's clock may be set meanwhile. */
const FRESH_MS = 1_000;

/** Redis's clock, as far as this process knows it by samples and its own monotonic clock. */
export class RedisClock {
  readonly #redis: RedisConnection;
  /** Redis's time less that of this process, at the most. */
  #offsetMs = 0;
  #sampledAtMs = Number.NEGATIVE_INFINITY;
  /** The epoch of the connection: another server has a clock of its own. */
  #sampledIn = -1;

  constructor(redis: RedisConnection) {
    this.#redis = redis;
  }

  /** Whether Redis's time is known well enough to decide by it. */
  get isFresh(): boolean {
    return this.#ageMs <= FRESH_MS;
  }

  /** Whether another sample is due while samples cost next to nothing: before the last one is too old. */
  get isSampleDue(): boolean {
    return this.#ageMs > FRESH_MS / 2;
  }

  /** Redis's time in Unix milliseconds. It may be ahead by the time that a command takes, and is never behind. */
  nowMs(): number {
    return performance.now() + this.#offsetMs;
  }

  /**
   * @param redisMs Redis's time, which came with a reply
   * @param sentAtMs when its command was sent, by `performance.now()`: Redis read its clock no earlier
   */
  sample(redisMs: number, sentAtMs: number): void {
    const offsetMs = redisMs - sentAtMs;
    // The shorter a command takes, the less its sample is ahead.
    if (this.isFresh && offsetMs >= this.#offsetMs) return;
    this.#offsetMs = offsetMs;
    this.#sampledAtMs = sentAtMs;
    this.#sampledIn = this.#redis.connectionEpoch;
  }

  get #ageMs(): number {
    const isSameServer = this.#sampledIn === this.#redis.connectionEpoch;
    return isSameServer ? performance.now() - this.#sampledAtMs : Number.POSITIVE_INFINITY;
  }

  /** @throws RedisFailure */
  async refresh(): Promise<void> {
    const sentAtMs = performance.now();
    const [seconds, micros] = (await this.#redis.call('TIME')) as [string, string];
    this.sample(Number(seconds) * 1_000 + Math.ceil(Number(micros) / 1_000), sentAtMs);
  }
}
