import { type Spec, serverOf } from '../contenders/contender.js';
import { MISSING, startServer } from '../servers/start-server.js';
import type { Arrival } from '../sides/messages.js';
import type { Stage } from '../stage.js';
import { Pair, type Run } from './pair.js';

export const RATES = [500, 5_000] as const;

/** Everything that was seen of one contender, one entry a round; why it was left out, if it was. */
export interface Record {
  readonly spec: Spec;
  readonly runs: Run[];
  readonly paced: Map<number, Arrival[]>;
  skipped: string | null;
}

const PACE_SECONDS = 2;
const LATENCY_ROUNDS = 3;
/** Orders of 10 KB and jobs are dearer: fewer of them take as long. */
const SHARES: Readonly<Partial<{ [K in Spec['kind']]: number }>> = { bullmq: 0.25, 'millrace-jobs': 0.25, jetstream: 0.5, rabbitmq: 0.5 };
const LARGE_BYTES = 4_096;
const LARGE_SHARE = 0.2;

/** Lets contenders run side by side: in each round all of them, one after the other, so that they meet the same machine. */
export class Match {
  readonly #stage: Stage;
  readonly #pairs = new Map<Record, Pair>();

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  async run(specs: readonly Spec[]): Promise<Record[]> {
    const records = specs.map((spec): Record => ({ spec, runs: [], paced: new Map(), skipped: null }));
    try {
      for (const record of records) await this.#open(record);
      await this.#rounds(records);
      return records;
    } finally {
      await this.#close();
    }
  }

  async #open(record: Record): Promise<void> {
    const server = await startServer(serverOf(record.spec.kind));
    if (!server) this.#skip(record, MISSING[serverOf(record.spec.kind)]);
    else await this.#guarded(record, async () => void this.#pairs.set(record, await Pair.open(record.spec, server)));
  }

  async #rounds(records: readonly Record[]): Promise<void> {
    const { rounds } = this.#stage.options;
    for (let round = 0; round <= rounds && this.#stage.hasTime(); round += 1) {
      this.#stage.say(round === 0 ? 'warm-up' : `round ${round} of ${rounds}, as fast as they can`);
      for (const record of records) await this.#saturate(record, round > 0);
    }
    for (let round = 1; round <= Math.min(rounds, LATENCY_ROUNDS) && this.#stage.hasTime(); round += 1) {
      this.#stage.say(`round ${round} of ${Math.min(rounds, LATENCY_ROUNDS)}, ${RATES.join(' and ')} a second`);
      for (const record of records) await this.#pace(record);
    }
  }

  #saturate(record: Record, counts: boolean): Promise<void> {
    return this.#guarded(record, async () => {
      const run = await this.#pairs.get(record)?.saturate(sizeOf(record.spec, this.#stage.options.size));
      if (run && counts) record.runs.push(run);
    });
  }

  async #pace(record: Record): Promise<void> {
    if (record.spec.bytes > LARGE_BYTES) return;
    for (const rate of RATES) {
      await this.#guarded(record, async () => {
        const arrival = await this.#pairs.get(record)?.pace(rate, rate * PACE_SECONDS);
        if (arrival) record.paced.set(rate, [...(record.paced.get(rate) ?? []), arrival]);
      });
    }
  }

  /** One that fails is left out from then on, aloud; the others go on. */
  async #guarded(record: Record, work: () => Promise<void>): Promise<void> {
    if (record.skipped !== null) return;
    try {
      await work();
    } catch (error) {
      this.#skip(record, error instanceof Error ? error.message : String(error));
    }
  }

  #skip(record: Record, why: string): void {
    record.skipped = why;
    this.#stage.say(`SKIPPED ${record.spec.name}: ${why}`);
  }

  async #close(): Promise<void> {
    await Promise.all(
      [...this.#pairs.values()].map(async (pair) => {
        await pair.close();
        await pair.server.stop();
      }),
    );
  }
}

function sizeOf({ kind, bytes }: Spec, size: number): number {
  return Math.ceil(size * (SHARES[kind] ?? 1) * (bytes > LARGE_BYTES ? LARGE_SHARE : 1));
}
