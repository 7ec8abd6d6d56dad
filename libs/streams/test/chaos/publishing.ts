import { isMillraceError, type SendOptions, topicOf } from '@millrace/core';
import type { Topology } from '@millrace/redis';
import type { Network, TopologyName } from '@millrace/testing';
import type { Process } from '../fixture.js';
import type { ChaosGround } from './chaos-ground.js';
import { durabilityOf, packingOf, RUNS_A_MESSAGE } from './plan.js';
import type { Records } from './records.js';
import { Skewed } from './skewed.js';

const PUBLISHERS = 2;
const BATCH = 50;
/** How many messages publishing is ahead of the handlers, so that faults meet both at once. */
const AHEAD = 2_000;

interface Started {
  readonly process: Process<Topology>;
  readonly network: Network;
}

export interface PublishingPlan {
  readonly seed: number;
  readonly topology: TopologyName;
}

/** Publishers, each behind a network of its own, that publish each message until it is confirmed. */
export class Publishing {
  readonly networks: readonly Network[];
  readonly #processes: readonly Process<Topology>[];
  readonly #sendOptions: SendOptions;
  readonly #records: Records;

  private constructor(records: Records, started: readonly Started[], sendOptions: SendOptions) {
    this.#sendOptions = sendOptions;
    this.networks = started.map(({ network }) => network);
    this.#processes = started.map(({ process }) => process);
    this.#records = records;
  }

  static async start(ground: ChaosGround, records: Records, { seed, topology }: PublishingPlan): Promise<Publishing> {
    const start = (): Promise<Started> => ground.startBehindNetwork(packingOf(seed));
    const started = await Promise.all(Array.from({ length: PUBLISHERS }, start));
    await started[0]!.process.streams.declare(topicOf(Skewed));
    return new Publishing(records, started, { durability: durabilityOf(topology) });
  }

  /** Publishes the values from `first` to before `end`. @throws Standstill when the handlers stay too far behind */
  async publish(first: number, end: number): Promise<void> {
    for (let start = first; start < end; start += BATCH) {
      const values = Array.from({ length: Math.min(BATCH, end - start) }, (_, index) => start + index);
      await Promise.all(values.map((value) => this.#publishOne(value)));
      await this.#records.progress.reached((start - AHEAD) * RUNS_A_MESSAGE);
    }
  }

  /** The idempotency key makes repetitions safe. A run that ends early closes its processes: then there is none. */
  async #publishOne(value: number): Promise<void> {
    const { attempted, confirmed } = this.#records;
    const { publisher } = this.#processes[value % PUBLISHERS]!;
    attempted.add(value);
    while (!confirmed.has(value)) {
      const published = publisher.publish(Skewed, { value }, { idempotencyKey: `k${value}`, ...this.#sendOptions });
      await published.then(() => confirmed.add(value), (error: unknown) => {
        if (isMillraceError(error) && error.code === 'CLOSED') throw error;
      });
    }
  }
}
