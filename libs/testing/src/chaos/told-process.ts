import { TypeScriptChild } from '../typescript-child.js';
import type { CrewProcess } from './crew.js';

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

  private constructor(file: URL, plan: object, hear: (line: string) => void) {
    this.#child = new TypeScriptChild(file, { args: [JSON.stringify(plan)] });
    this.ended = this.#listen(hear);
  }

  /**
   * Resolves when it has said that it runs.
   *
   * @param plan its one argument, as JSON
   */
  static start(file: URL, plan: object, { heard }: Listener): Promise<ToldProcess> {
    return new Promise((resolve, reject) => {
      const process = new ToldProcess(file, plan, (line) => (line === 'running' ? resolve(process) : heard(line.split(' '))));
      process.ended.then(({ code }) => reject(new Error(`A process ended with code ${code} before it ran: ${file.pathname}`)), reject);
    });
  }

  get pid(): number {
    return this.#child.process.pid!;
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
