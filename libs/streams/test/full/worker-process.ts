import { TypeScriptChild } from '@millrace/testing';
import type { WorkerPlan } from './plan.js';
import type { Records } from './records.js';

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Handlers that began after the worker had begun to stop. */
  readonly late: number;
}

/** A worker in a process of its own, whose output goes into the records. */
export class WorkerProcess {
  readonly ended: Promise<Ending>;
  readonly #child: TypeScriptChild;
  readonly #records: Records;
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
      else this.#hear(line);
    }
    const { code, signal } = await this.#child.ended;
    return { code, signal, late: this.#late };
  }

  #hear(line: string): void {
    const [word, value, attempt] = line.split(' ');
    const run = { value: Number(value), attempt: Number(attempt) };
    if (word === 'stopping') this.#isStopping = true;
    if (word === 'done') this.#records.done.push(run);
    if (word !== 'begun') return;
    this.#records.begin(run);
    if (this.#isStopping) this.#late += 1;
  }
}
