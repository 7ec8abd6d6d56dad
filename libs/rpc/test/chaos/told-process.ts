import { type CrewProcess, TypeScriptChild } from '@millrace/testing';
import type { ProcessPlan } from './plan.js';

export interface Ending {
  /** Null when a signal ended it. */
  readonly code: number | null;
  /** Whether it was asked to stop. */
  readonly wasAsked: boolean;
}

/** A process that was asked to stop and has not ended so much later is killed. */
const STOP_WITHIN_MS = 30_000;

export interface Listener {
  readonly heard: (words: readonly string[]) => void;
}

/** A process of its own that tells what it does, line by line. */
export class ToldProcess implements CrewProcess<Ending> {
  /** Resolves when the process has ended, and all that it told was heard. */
  readonly ended: Promise<Ending>;
  readonly #child: TypeScriptChild;
  #killing: NodeJS.Timeout | undefined;

  private constructor(fixture: string, plan: ProcessPlan, hear: (line: string) => void) {
    this.#child = new TypeScriptChild(new URL(`./fixtures/${fixture}.ts`, import.meta.url), { args: [JSON.stringify(plan)] });
    this.ended = this.#listen(hear);
  }

  /** Resolves when it has said that it runs. */
  static start(fixture: 'caller' | 'server', plan: ProcessPlan, { heard }: Listener): Promise<ToldProcess> {
    return new Promise((resolve, reject) => {
      const process = new ToldProcess(fixture, plan, (line) => (line === 'running' ? resolve(process) : heard(line.split(' '))));
      process.ended.then(({ code }) => reject(new Error(`A ${fixture} ended with code ${code} before it ran.`)), reject);
    });
  }

  tell(line: string): void {
    this.#child.tell(line);
  }

  signal(signal: NodeJS.Signals): void {
    if (signal === 'SIGTERM') this.#killing = setTimeout(() => this.signal('SIGKILL'), STOP_WITHIN_MS);
    this.#child.process.kill(signal);
  }

  async #listen(hear: (line: string) => void): Promise<Ending> {
    for (;;) {
      const line = await this.#child.line().catch(() => null);
      if (line === null) break;
      hear(line);
    }
    const { code } = await this.#child.ended;
    clearTimeout(this.#killing);
    return { code, wasAsked: this.#killing !== undefined };
  }
}
