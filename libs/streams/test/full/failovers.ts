import { replicated, topicOf } from '@millrace/core';
import type { GroupState } from '@millrace/streams';
import { seededRandom, waitFor } from '@millrace/testing';
import type { Process } from '../fixture.js';
import type { ReplicatedBed } from '../replicated-bed.js';
import { Skewed } from '../chaos/skewed.js';
import { drained } from '../chaos/drained.js';
import { RUNS_A_MESSAGE } from '../chaos/plan.js';
import { Records } from '../chaos/records.js';
import { type Verdict, verdictOn } from '../chaos/verdict.js';
import { startWorkers } from '../chaos/workers.js';

const GROUP = 'g';
const LANES = 32;
/** How many messages publishing is ahead of the handlers. */
const AHEAD = 1_000;
/** Handlers begun between two failovers, at the most. */
const APART = 3_000;

interface FailoversOptions {
  readonly failovers: number;
  readonly seed: number;
}

export interface FailoversReport extends Verdict {
  readonly confirmed: number;
  /** Confirmed messages that are not in the log at the end, though a handler may have run before the failover. */
  readonly missing: number;
  readonly state: GroupState;
  /** From each promotion to the first handler of a message that was published after it. */
  readonly recoveriesMs: readonly number[];
}

/** Fails over again and again, with the old primary as the new replica, while messages are published and handled. */
export async function failOverAgainAndAgain(bed: ReplicatedBed, options: FailoversOptions): Promise<FailoversReport> {
  const records = new Records();
  const [publisher, looker] = [await bed.start(), await bed.start()];
  await publisher.streams.declare(topicOf(Skewed));
  const workers = await startWorkers(bed, records, { mode: 'shared', topology: 'standalone', workers: 3, group: GROUP, leaseMs: 1_000, concurrency: 16, slowestMs: 2 });
  const load = new Load(publisher, records);
  const work = async (): Promise<number[]> => {
    const recoveriesMs = await underFailovers({ bed, records, load }, options).finally(() => load.stop());
    await drained(bed, looker, GROUP);
    return recoveriesMs;
  };
  const recoveriesMs = await work().finally(() => workers.leave());
  const history = await records.history(bed, looker, { mode: 'shared', topic: Skewed, group: GROUP });
  const stored = new Set(history.stored);
  const missing = [...records.confirmed].filter((value) => !stored.has(value)).length;
  const state = await bed.state(looker, Skewed, GROUP);
  return { ...verdictOn(history), confirmed: records.confirmed.size, missing, state, recoveriesMs };
}

interface Stage {
  readonly bed: ReplicatedBed;
  readonly records: Records;
  readonly load: Load;
}

async function underFailovers({ bed, records, load }: Stage, { failovers, seed }: FailoversOptions): Promise<number[]> {
  const random = seededRandom(seed);
  const recoveriesMs: number[] = [];
  load.start();
  while (recoveriesMs.length < failovers) {
    await records.progress.further(1 + Math.floor(random() * APART));
    // The failover loses a tail of messages and settlements: no confirmed message is among them.
    if (random() < 0.5) {
      await bed.cutReplication();
      await load.settledMore(LANES);
    }
    if (random() < 0.5) await bed.server.kill();
    else bed.server.pause();
    await bed.failOver();
    const promotedAt = performance.now();
    recoveriesMs.push((await load.handledAt()) - promotedAt);
    await bed.follow();
  }
  return recoveriesMs;
}

/** Publishes without end, each message until it is confirmed by a replica. */
class Load {
  readonly #publisher: Process;
  readonly #records: Records;
  #lanes: Promise<unknown> = Promise.resolve();
  #isStopped = false;
  #next = 0;
  #settled = 0;

  constructor(publisher: Process, records: Records) {
    this.#publisher = publisher;
    this.#records = records;
  }

  start(): void {
    this.#lanes = Promise.all(Array.from({ length: LANES }, () => this.#lane()));
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#lanes;
  }

  /** Resolves when so many more publishes were confirmed or rejected. */
  settledMore(count: number): Promise<unknown> {
    const wanted = this.#settled + count;
    return waitFor(() => this.#settled >= wanted, { what: `${count} publishes to be settled`, timeoutMs: 30_000 });
  }

  /** Publishes a message. Resolves with the moment at which it was handled. */
  async handledAt(): Promise<number> {
    const [value, begun] = [this.#take(), this.#records.runs.length];
    const isHandled = (): boolean => this.#records.runs.slice(begun).some((run) => run.value === value);
    await this.#publisher.publisher.publish(Skewed, { value }, { idempotencyKey: `k${value}` });
    await waitFor(isHandled, { what: 'a message to be handled after the failover', timeoutMs: 30_000 });
    return performance.now();
  }

  async #lane(): Promise<void> {
    while (!this.#isStopped) {
      const value = this.#take();
      while (!this.#records.confirmed.has(value) && !this.#isStopped) await this.#publish(value);
      await this.#records.progress.reached(this.#isStopped ? 0 : (value - AHEAD) * RUNS_A_MESSAGE);
    }
  }

  async #publish(value: number): Promise<void> {
    const options = { durability: replicated(1, '200ms'), idempotencyKey: `k${value}`, deadline: '3s' } as const;
    const published = this.#publisher.publisher.publish(Skewed, { value }, options);
    await published.then(() => this.#records.confirmed.add(value), () => undefined);
    this.#settled += 1;
  }

  #take(): number {
    this.#records.attempted.add(this.#next);
    return this.#next++;
  }
}
