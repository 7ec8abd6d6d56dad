import { TypeScriptChild } from '@millrace/testing';
import type { WorkerPlan } from './plan.js';
import type { Records } from './records.js';
import type { Final, Run } from './run.js';

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Handlers that began after the worker had begun to stop. */
  readonly late: number;
}

let started = 0;

/** A worker in a process of its own, whose output goes into the records. */
export class WorkerProcess {
  readonly ended: Promise<Ending>;
  readonly #number = started++;
  readonly #child: TypeScriptChild;
  readonly #records: Records;
  /** By the number that the worker gave them, and the last one of each message by its place. */
  readonly #runs = new Map<string, Run>();
  readonly #latest = new Map<string, Run>();
  #isStopping = false;
  #late = 0;

  private constructor(plan: WorkerPlan, records: Records, run: () => void) {
    this.#child = new TypeScriptChild(new URL('./fixtures/worker.ts', import.meta.url), { args: [JSON.stringify(plan)] });
    this.#records = records;
    this.ended = this.#listen(run);
  }

  /** Resolves when it has joined the group. */
  static async start(plan: WorkerPlan, records: Records): Promise<WorkerProcess> {
    return new Promise((resolve, reject) => {
      const worker = new WorkerProcess(plan, records, () => resolve(worker));
      void worker.ended.then(({ code }) => reject(new Error(`A worker ended with code ${code} before it ran.`)));
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.process.kill(signal);
  }

  async kill(): Promise<Ending> {
    this.signal('SIGKILL');
    return this.ended;
  }

  async #listen(run: () => void): Promise<Ending> {
    for (;;) {
      const line = await this.#child.line().catch(() => null);
      if (line === null) break;
      if (line === 'running') run();
      else this.#hear(line.split(' '));
    }
    const { code, signal } = await this.#child.ended;
    return { code, signal, late: this.#late };
  }

  #hear([word, ...words]: readonly string[]): void {
    if (word === 'stopping') this.#isStopping = true;
    if (word === 'begun') this.#begun(words);
    if (word === 'ended') this.#ended(words);
    if (word === 'settled') this.#settled(words);
  }

  #begun([number, ...words]: readonly string[]): void {
    const [begunAt, value, attempt, partition, offset, crashes] = words.map(Number);
    const open = { endedAt: null, isSuccess: false, settledAt: null, settledAs: null, epoch: null };
    const known = { worker: this.#number, value, attempt, partition, offset, crashes, begunAt };
    const run = { ...known, ...open } as Run;
    this.#runs.set(number!, run);
    this.#latest.set(`${run.partition}/${run.offset}`, run);
    this.#records.begin(run);
    if (this.#isStopping) this.#late += 1;
  }

  #ended([number, at, how]: readonly string[]): void {
    const run = this.#runs.get(number!)!;
    this.#runs.delete(number!);
    run.endedAt = Number(at);
    run.isSuccess = how === 'well';
  }

  /** Messages that the worker never began may be settled as well: they were let go of. */
  #settled([at, partition, first, count, as, epoch]: readonly string[]): void {
    for (let offset = Number(first); offset < Number(first) + Number(count); offset += 1) {
      const run = this.#latest.get(`${partition}/${offset}`);
      if (!run?.endedAt || run.settledAt !== null) continue;
      run.settledAt = Number(at);
      run.settledAs = as === '-' ? null : (as as Final);
      run.epoch = epoch === '-' ? null : Number(epoch);
    }
  }
}
