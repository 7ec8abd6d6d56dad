import { TypeScriptChild, waitFor } from '@millrace/testing';

/** How long a process may take to start, on a busy machine. */
const START_MS = 20_000;

export interface WorkerPlan {
  readonly url: string;
  readonly prefix: string;
  readonly group: string;
  readonly leaseMs: number;
  readonly concurrency: number;
  readonly crashLimit: number;
  /** `brief`: handlers end soon; `endless`: handlers end by SIGUSR2, and fail then. */
  readonly handlers: 'brief' | 'endless';
  /** The message whose handler kills its process. */
  readonly poison?: number;
  /** How long a stop, by SIGTERM, waits for handlers. */
  readonly stopMs: number;
}

export interface Said {
  readonly word: string;
  readonly value: number;
  readonly crashes: number;
}

/** A member of a group in a process of its own. */
export class Worker {
  /** The output of its handlers. */
  readonly said: Said[] = [];
  /** Resolves when the process is gone and all its output was read. */
  readonly ended: Promise<void>;
  readonly #child: TypeScriptChild;
  #isStopping = false;
  #ending = 'it runs';

  constructor(plan: WorkerPlan) {
    this.#child = new TypeScriptChild(new URL('./fixtures/worker.ts', import.meta.url), { args: [JSON.stringify(plan)] });
    this.ended = this.#listen();
  }

  of(word: string): Said[] {
    return this.said.filter((said) => said.word === word);
  }

  /** Resolves when so many of its handlers have printed this word: `begun`, `done`, `failed`. */
  async saysOf(messages: number, word: string): Promise<void> {
    await this.#until(() => this.of(word).length >= messages, `a worker to have ${word} ${messages} messages`);
  }

  /** Asks the process to stop, and resolves when it has begun to. */
  async stop(): Promise<void> {
    this.signal('SIGTERM');
    await this.#until(() => this.#isStopping, 'a worker to stop');
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.process.kill(signal);
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.ended;
  }

  async #until(condition: () => boolean, what: string): Promise<void> {
    const orWhy = (): boolean => {
      if (!condition()) throw new Error(this.#ending);
      return true;
    };
    await waitFor(orWhy, { what, timeoutMs: START_MS });
  }

  async #listen(): Promise<void> {
    for (;;) {
      const line = await this.#child.line().catch((error: unknown) => void (this.#ending = String(error)));
      if (line === undefined) break;
      this.#hear(line);
    }
  }

  #hear(line: string): void {
    const [word = '', value, , crashes] = line.split(' ');
    if (word === 'stopping') this.#isStopping = true;
    else this.said.push({ word, value: Number(value), crashes: Number(crashes ?? 0) });
  }
}
