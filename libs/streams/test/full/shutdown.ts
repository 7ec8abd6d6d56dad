import { topicOf } from '@millrace/core';
import { seededRandom } from '@millrace/testing';
import type { Bed } from '../bed.js';
import type { Process } from '../fixture.js';
import { Skewed } from '../chaos/skewed.js';
import { drained } from '../chaos/drained.js';
import { RUNS_A_MESSAGE } from '../chaos/plan.js';
import { Records } from '../chaos/records.js';
import { type Verdict, verdictOn } from '../chaos/verdict.js';
import { type Ending, WorkerProcess } from '../chaos/worker-process.js';

const GROUP = 'g';
const WORKERS = 2;
/** How many messages publishing is ahead of the handlers. */
const AHEAD = 200;
const BATCH = 20;

export interface ShutdownReport extends Verdict {
  readonly messages: number;
  /** Workers that did not end by themselves with code 0. */
  readonly badExits: number;
  /** Handlers that began after their worker had begun to stop. */
  readonly late: number;
  /** Messages that had to be taken over, because a worker had left them behind. */
  readonly redelivered: number;
}

/** Workers are asked to stop at random moments, one after the other, while messages flow. */
export async function shutDownAtRandom(bed: Bed, options: { sigterms: number; seed: number }): Promise<ShutdownReport> {
  const records = new Records();
  const publisher = await bed.start({ messagesPerEntry: 4 });
  await publisher.streams.declare(topicOf(Skewed));
  const shift = await Shift.begin(bed, records);
  const load = new Load(publisher, records);
  const work = async (): Promise<{ endings: Ending[]; messages: number }> => {
    load.start();
    const endings = await shift.replaceAtRandom(options.sigterms, seededRandom(options.seed));
    const messages = await load.stop();
    await drained(bed, publisher, GROUP);
    return { endings, messages };
  };
  const { endings, messages } = await work().finally(() => shift.end());
  const verdict = verdictOn(await records.history(bed, publisher, { mode: 'shared', topic: Skewed, group: GROUP }));
  const { redelivered } = await bed.state(publisher, Skewed, GROUP);
  const badExits = endings.filter(({ code }) => code !== 0).length;
  return { ...verdict, messages, badExits, late: endings.reduce((sum, { late }) => sum + late, 0), redelivered };
}

/** The present workers. */
class Shift {
  readonly #records: Records;
  readonly #start: () => Promise<WorkerProcess>;
  readonly #workers: WorkerProcess[] = [];

  private constructor(bed: Bed, records: Records) {
    const { server, prefix } = bed;
    // A lease so long that no message left behind is taken over before the check.
    const plan = { mode: 'shared' as const, topology: 'standalone' as const, target: { url: server.url }, prefix, group: GROUP, leaseMs: 600_000, concurrency: 8, slowestMs: 60 };
    this.#records = records;
    this.#start = () => WorkerProcess.start(plan, records);
  }

  static async begin(bed: Bed, records: Records): Promise<Shift> {
    const shift = new Shift(bed, records);
    shift.#workers.push(...(await Promise.all(Array.from({ length: WORKERS }, shift.#start))));
    return shift;
  }

  async replaceAtRandom(times: number, random: () => number): Promise<Ending[]> {
    const endings: Ending[] = [];
    while (endings.length < times) {
      const next = await this.#start();
      await this.#records.progress.further(1 + Math.floor(random() * 60));
      const [leaving] = this.#workers.splice(Math.floor(random() * WORKERS), 1, next);
      leaving!.signal('SIGTERM');
      endings.push(await leaving!.ended);
    }
    return endings;
  }

  async end(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.kill()));
  }
}

/** Publishes without end, a little ahead of the handlers. */
class Load {
  readonly #publisher: Process;
  readonly #records: Records;
  #publishing: Promise<void> = Promise.resolve();
  #isStopped = false;
  #next = 0;

  constructor(publisher: Process, records: Records) {
    this.#publisher = publisher;
    this.#records = records;
  }

  start(): void {
    this.#publishing = this.#publish();
  }

  /** @returns how many were published */
  async stop(): Promise<number> {
    this.#isStopped = true;
    await this.#publishing;
    return this.#next;
  }

  async #publish(): Promise<void> {
    while (!this.#isStopped) {
      const values = Array.from({ length: BATCH }, () => this.#next++);
      for (const value of values) this.#records.attempted.add(value);
      await this.#publisher.publisher.publishMany(Skewed, values.map((value) => ({ payload: { value } })));
      for (const value of values) this.#records.confirmed.add(value);
      await this.#records.progress.reached((this.#next - AHEAD) * RUNS_A_MESSAGE);
    }
  }
}
