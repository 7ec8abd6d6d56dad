import { type Spec, serverOf } from '../contenders/contender.js';
import { runRounds } from '../rounds.js';
import type { BenchServer } from '../servers/server.js';
import { MISSING, startServer } from '../servers/start-server.js';
import type { Arrival } from '../sides/messages.js';
import type { Stage } from '../stage.js';
import { CallSides } from './call-sides.js';
import { Pair } from './pair.js';
import type { Run, Sides } from './sides.js';

export const RATES = [500, 5_000] as const;

/** The measurements of one contender, one entry a round, and the reason when it was left out. */
export interface Record {
  readonly spec: Spec;
  readonly runs: Run[];
  readonly paced: Map<number, Arrival[]>;
  skipped: string | null;
}

export interface MatchResult {
  readonly records: readonly Record[];
  /** The rounds that there was no time for. */
  readonly missing: readonly string[];
}

const PACE_SECONDS = 2;
/**
 * Before each turn a contender is loaded for so long, which does not count. Processes that wait for their turn cool down: the
 * JavaScript engine shrinks their heaps and drops compiled code, which no loaded process meets.
 */
const WARM_UP_MS = 1_500;
const LATENCY_ROUNDS = 3;
/** The share of the time that rounds as fast as they can may use; the others get the rest. */
const SATURATED_SHARE = 0.6;
/** Orders of 10 KB and jobs are dearer: fewer of them take as long. */
const SHARES: Readonly<Partial<{ [K in Spec['kind']]: number }>> = { bullmq: 0.25, 'millrace-jobs': 0.25, jetstream: 0.5, rabbitmq: 0.5 };
const LARGE_BYTES = 4_096;
const LARGE_SHARE = 0.2;

/** Lets contenders run side by side: in each round all of them, one after the other, so that they meet the same machine. */
export class Match {
  readonly #stage: Stage;
  readonly #sides = new Map<Record, Sides>();
  readonly #missing: string[] = [];

  constructor(stage: Stage) {
    this.#stage = stage;
  }

  async run(specs: readonly Spec[]): Promise<MatchResult> {
    const records = specs.map((spec): Record => ({ spec, runs: [], paced: new Map(), skipped: null }));
    try {
      for (const record of records) await this.#open(record);
      await this.#saturatedRounds(records);
      const paced = records.filter(({ spec }) => spec.bytes < LARGE_BYTES);
      // A contender that has finished must not cost the others CPU.
      await this.#close(records.filter((record) => !paced.includes(record)));
      await this.#pacedRounds(paced);
      return { records, missing: this.#missing };
    } finally {
      await this.#close(records);
    }
  }

  async #open(record: Record): Promise<void> {
    await this.#guarded(record, async () => {
      const kind = serverOf(record.spec.kind);
      const server = await startServer(kind);
      if (!server) throw new Error(MISSING[kind]);
      this.#sides.set(record, await this.#sidesOn(server, record.spec));
    });
  }

  async #sidesOn(server: BenchServer, spec: Spec): Promise<Sides> {
    const kind = spec.callers === undefined ? Pair : CallSides;
    try {
      return await kind.open(spec, server, this.#stage.signal);
    } catch (error) {
      await server.stop();
      throw error;
    }
  }

  async #saturatedRounds(records: readonly Record[]): Promise<void> {
    await this.#rounds(this.#stage.part(SATURATED_SHARE), { count: this.#stage.options.rounds, how: 'as fast as they can' }, async () => {
      for (const record of records) {
        await this.#warmUp(record);
        const run = await this.#saturate(record);
        if (run) record.runs.push(run);
      }
    });
  }

  async #pacedRounds(records: readonly Record[]): Promise<void> {
    const count = Math.min(this.#stage.options.rounds, LATENCY_ROUNDS);
    await this.#rounds(this.#stage, { count, how: `${RATES.join(' and ')} a second` }, async () => {
      for (const record of records) await this.#pace(record);
    });
  }

  async #rounds(stage: Stage, { count, how }: { count: number; how: string }, round: () => Promise<void>): Promise<void> {
    const done = await runRounds(stage, count, async (number) => {
      stage.say(`round ${number} of ${count}, ${how}`);
      await round();
    });
    if (done === count) return;
    this.#missing.push(`${count - done} of ${count} rounds, ${how}: the time was up`);
    stage.say(`LEFT OUT ${this.#missing.at(-1)}`);
  }

  /** @returns null when the contender is left out */
  async #saturate(record: Record): Promise<Run | null> {
    let run: Run | null = null;
    await this.#guarded(record, async () => {
      run = await this.#sides.get(record)!.saturate(sizeOf(record.spec, this.#stage.options.size));
    });
    return run;
  }

  async #warmUp(record: Record): Promise<void> {
    const until = performance.now() + WARM_UP_MS;
    while (performance.now() < until && (await this.#saturate(record)) !== null);
  }

  async #pace(record: Record): Promise<void> {
    await this.#warmUp(record);
    for (const rate of RATES) {
      await this.#guarded(record, async () => {
        const arrival = await this.#sides.get(record)?.pace(rate, rate * PACE_SECONDS);
        if (arrival) record.paced.set(rate, [...(record.paced.get(rate) ?? []), arrival]);
      });
    }
  }

  /** A contender that fails is reported, ended and left out from then on; the others go on. */
  async #guarded(record: Record, work: () => Promise<void>): Promise<void> {
    if (record.skipped !== null) return;
    try {
      this.#stage.signal.throwIfAborted();
      await work();
    } catch (error) {
      record.skipped = this.#stage.signal.aborted ? 'the time was up' : messageOf(error);
      this.#stage.say(`SKIPPED ${record.spec.name}: ${record.skipped}`);
      await this.#close([record]);
    }
  }

  async #close(records: readonly Record[]): Promise<void> {
    await Promise.all(
      records.map(async (record) => {
        const sides = this.#sides.get(record);
        this.#sides.delete(record);
        await sides?.close();
        await sides?.server.stop();
      }),
    );
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function sizeOf({ kind, bytes }: Spec, size: number): number {
  return Math.ceil(size * (SHARES[kind] ?? 1) * (bytes > LARGE_BYTES ? LARGE_SHARE : 1));
}
