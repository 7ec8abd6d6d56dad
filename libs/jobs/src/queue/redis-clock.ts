import type { RedisQueueBackend } from 'bullmq';

/** How long an answer of Redis about its time is used: both clocks may be set, and another server may answer. */
const FRESH_MS = 10_000;

type Backend = Pick<RedisQueueBackend, 'client' | 'toKey'>;

/** The way of BullMQ's clients to run a script. */
interface ScriptClient {
  eval(script: string, keyCount: number, key: string): Promise<[seconds: string, micros: string]>;
}

/** A command without a key goes to any node of a Cluster, whose clock may be another one; a script goes where its key is. */
const TIME = "return redis.call('TIME')";

/** Time of Redis minus the monotonic clock of this process: it lies between the two bounds, which a round trip lays apart. */
interface Lead {
  readonly least: number;
  readonly most: number;
  readonly readAt: number;
}

/** The clock of the Redis that has a queue, asked for over the connection of queue or worker every 10 seconds at the most. */
export class RedisClock {
  readonly #backend: Backend;
  #lead: Lead | null = null;
  #reading: Promise<Lead> | null = null;

  constructor(backend: Backend) {
    this.#backend = backend;
  }

  /**
   * Unix milliseconds, a whole number: not before Redis's own, and after it by a round trip at the most. A wait that begins
   * then is no shorter than it should be. A promise only when Redis has to be asked, here and below.
   */
  latest(): number | Promise<number> {
    return this.#by(({ most }, now) => Math.ceil(now + most));
  }

  /** Unix milliseconds, a whole number: not after Redis's own. Every job that is due then is due in Redis. */
  earliest(): number | Promise<number> {
    return this.#by(({ least }, now) => Math.floor(now + least));
  }

  /** Converts a moment of Redis's clock to that of this process, once Redis's time was asked for. */
  local(moment: number): number {
    return this.#lead === null ? moment : Math.ceil(moment - this.#lead.least - performance.now() + Date.now());
  }

  #by(timeOf: (lead: Lead, now: number) => number): number | Promise<number> {
    const now = performance.now();
    if (this.#lead && now - this.#lead.readAt < FRESH_MS) return timeOf(this.#lead, now);
    this.#reading ??= this.#read().finally(() => (this.#reading = null));
    return this.#reading.then((lead) => timeOf(lead, performance.now()));
  }

  async #read(): Promise<Lead> {
    const client = (await this.#backend.client) as unknown as ScriptClient;
    const key = this.#backend.toKey('meta');
    const asked = performance.now();
    const [seconds, micros] = await client.eval(TIME, 1, key);
    const readAt = performance.now();
    const time = Number(seconds) * 1_000 + Number(micros) / 1_000;
    this.#lead = { least: time - readAt, most: time - asked, readAt };
    return this.#lead;
  }
}
