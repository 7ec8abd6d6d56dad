import { TypeScriptChild, waitFor } from '@millrace/testing';

export interface WorkerPlan {
  readonly url: string;
  readonly prefix: string;
  readonly group: string;
  readonly leaseMs: number;
  readonly concurrency: number;
  readonly crashLimit: number;
  /** `brief`: they end soon; `endless`: they end by SIGUSR2, and fail then. */
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
  /** All that its handlers said. */
  readonly said: Said[] = [];
  /** Resolves when the process is gone and all that it said is known. */
  readonly ended: Promise<void>;
  readonly #child: TypeScriptChild;
  #words = new Set<string>();

  private constructor(plan: WorkerPlan) {
    this.#child = new TypeScriptChild(new URL('./fixtures/worker.ts', import.meta.url), { args: [JSON.stringify(plan)] });
    this.ended = this.#listen();
  }

  /** Resolves when it has joined the group. */
  static async start(plan: WorkerPlan): Promise<Worker> {
    const worker = new Worker(plan);
    await worker.says('running');
    return worker;
  }

  of(word: string): Said[] {
    return this.said.filter((said) => said.word === word);
  }

  /** Resolves when it has said this about itself: `running`, `stopping`. */
  async says(word: string): Promise<void> {
    await waitFor(() => this.#words.has(word), { what: `a worker to say that it is ${word}` });
  }

  /** Resolves when so many of its handlers have said this: `begun`, `done`, `failed`. */
  async saysOf(messages: number, word: string): Promise<void> {
    await waitFor(() => this.of(word).length >= messages, { what: `a worker to have ${word} ${messages} messages` });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.process.kill(signal);
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.ended;
  }

  async #listen(): Promise<void> {
    for (;;) {
      const line = await this.#child.line().catch(() => null);
      if (line === null) break;
      this.#hear(line);
    }
  }

  #hear(line: string): void {
    const [word = '', value, , crashes] = line.split(' ');
    if (value === undefined) this.#words.add(word);
    else this.said.push({ word, value: Number(value), crashes: Number(crashes ?? 0) });
  }
}
