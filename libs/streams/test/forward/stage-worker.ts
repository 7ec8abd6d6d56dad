import { TypeScriptChild } from '@millrace/testing';

export interface StageWorkerPlan {
  readonly url: string;
  readonly prefix: string;
  readonly leaseMs: number;
  readonly name: string;
  readonly concurrency: number;
  /** Handlers forward; else they publish by themselves. */
  readonly exact: boolean;
}

/** A process with the handlers of all stages. */
export class StageWorker {
  readonly #child: TypeScriptChild;

  private constructor(child: TypeScriptChild) {
    this.#child = child;
  }

  static async start(plan: StageWorkerPlan): Promise<StageWorker> {
    const child = new TypeScriptChild(new URL('./fixtures/worker.ts', import.meta.url), { args: [JSON.stringify(plan)] });
    await child.line();
    return new StageWorker(child);
  }

  kill(): Promise<void> {
    return this.#child.kill('SIGKILL');
  }

  stop(): Promise<void> {
    return this.#child.kill('SIGTERM');
  }

  /** Its CPU time so far, in microseconds. */
  async cpu(): Promise<number> {
    this.#child.tell('cpu');
    return Number((await this.#child.line()).replace('cpu ', ''));
  }
}
