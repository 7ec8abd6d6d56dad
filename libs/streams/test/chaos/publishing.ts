import { topicOf } from '@millrace/core';
import type { TcpProxy } from '@millrace/testing';
import type { Process } from '../fixture.js';
import type { Ground } from '../ground.js';
import { packingOf, RUNS_A_MESSAGE } from './plan.js';
import type { Records } from './records.js';
import { Skewed } from './skewed.js';

const PUBLISHERS = 2;
const BATCH = 50;
/** How many messages publishing is ahead of the handlers, so that faults meet both at once. */
const AHEAD = 2_000;

/** Publishers, each behind a network of its own, that publish each message until it is confirmed. */
export class Publishing {
  readonly proxies: readonly TcpProxy[];
  readonly #processes: readonly Process[];
  readonly #records: Records;

  private constructor(records: Records, started: readonly { process: Process; proxy: TcpProxy }[]) {
    this.proxies = started.map(({ proxy }) => proxy);
    this.#processes = started.map(({ process }) => process);
    this.#records = records;
  }

  static async start(ground: Ground, records: Records, seed: number): Promise<Publishing> {
    const start = (): ReturnType<Ground['startBehindProxy']> => ground.startBehindProxy(packingOf(seed));
    const started = await Promise.all(Array.from({ length: PUBLISHERS }, start));
    await started[0]!.process.streams.declare(topicOf(Skewed));
    return new Publishing(records, started);
  }

  /** Publishes the values from `first` to before `end`. @throws Standstill when the handlers stay too far behind */
  async publish(first: number, end: number): Promise<void> {
    for (let start = first; start < end; start += BATCH) {
      const values = Array.from({ length: Math.min(BATCH, end - start) }, (_, index) => start + index);
      await Promise.all(values.map((value) => this.#publishOne(value)));
      await this.#records.progress.reached((start - AHEAD) * RUNS_A_MESSAGE);
    }
  }

  /** The idempotency key makes repetitions safe. */
  async #publishOne(value: number): Promise<void> {
    const { attempted, confirmed } = this.#records;
    const { publisher } = this.#processes[value % PUBLISHERS]!;
    attempted.add(value);
    while (!confirmed.has(value)) {
      const published = publisher.publish(Skewed, { value }, { idempotencyKey: `k${value}` });
      await published.then(() => confirmed.add(value), () => undefined);
    }
  }
}
