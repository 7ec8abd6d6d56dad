import type { RedisConnection, Topology } from '@millrace/redis';

/** Longer than two looks of a Prometheus that looks once a minute. */
const KEEP_MS = 130_000;

/**
 * Decides which process has the gauges of all topics and groups. For a moment two may have them: nothing is lost, since whoever
 * reads them takes the greatest.
 */
export class ExporterLock {
  readonly #redis: RedisConnection;
  readonly #key: string;
  readonly #own: string;

  constructor(redis: Topology, prefix: string, own: string) {
    this.#key = `${prefix}:{telemetry}:exporter`;
    this.#redis = redis.controlFor(this.#key);
    this.#own = own;
  }

  /** @returns whether it is this process, now and for a while */
  async take(): Promise<boolean> {
    if ((await this.#redis.call('SET', this.#key, this.#own, 'NX', 'PX', KEEP_MS)) !== null) return true;
    if (!(await this.#isOwn())) return false;
    await this.#redis.call('PEXPIRE', this.#key, KEEP_MS);
    return true;
  }

  async release(): Promise<void> {
    if (await this.#isOwn()) await this.#redis.call('DEL', this.#key);
  }

  async #isOwn(): Promise<boolean> {
    return (await this.#redis.call('GET', this.#key)) === this.#own;
  }
}
