import { TypeScriptChild, waitFor } from '@millrace/testing';
import type { InstancePlan } from './fixtures/instance.js';

/** How long a process may take to start, on a busy machine. */
const START_MS = 30_000;

/**
 * An instance of the service in a process of its own: with the methods `again`, which is idempotent, and `once`; or with `count`,
 * which streams; or a caller of `count`.
 */
export class InstanceChild {
  /** Payloads of the requests that it has begun. */
  readonly begun: string[] = [];
  /** Their ids. */
  readonly ids: string[] = [];
  isHalted = false;
  /** How many answers Redis had taken when it had left. */
  answers = 0;
  /** Payloads of the requests whose streams were closed. */
  readonly closed: string[] = [];
  member = '';
  readonly #child: TypeScriptChild;
  readonly #ended: Promise<void>;

  constructor(plan: InstancePlan, fixture: 'instance' | 'stream-instance' | 'stream-caller' = 'instance') {
    this.#child = new TypeScriptChild(new URL(`./fixtures/${fixture}.ts`, import.meta.url), { args: [JSON.stringify(plan)] });
    this.#ended = this.#listen();
  }

  async serving(): Promise<this> {
    await waitFor(() => this.member !== '', { what: 'the instance to serve', timeoutMs: START_MS });
    return this;
  }

  async hasBegun(count: number): Promise<void> {
    await waitFor(() => this.begun.length >= count, { what: `the instance to have begun ${count} requests` });
  }

  async hasHalted(): Promise<void> {
    await waitFor(() => this.isHalted, { what: 'the instance to halt where it is to be killed', timeoutMs: START_MS });
  }

  /** It stops as a process does on SIGTERM. */
  async leave(): Promise<void> {
    this.#child.tell('leave');
    await this.#ended;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.process.kill(signal);
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.#ended;
  }

  async #listen(): Promise<void> {
    for (;;) {
      const line = await this.#child.line().catch(() => undefined);
      if (line === undefined) break;
      this.#heard(line);
    }
  }

  #heard(line: string): void {
    const [word, value = '', , id = ''] = line.split(' ');
    if (word === 'serving') this.member = value;
    else if (word === 'halted') this.isHalted = true;
    else if (word === 'left') this.answers = Number(value);
    else if (word === 'closed') this.closed.push(value);
    else if (word === 'begun') {
      this.begun.push(value);
      this.ids.push(id);
    }
  }
}
