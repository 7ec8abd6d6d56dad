import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Spec } from '../contenders/contender.js';
import type { Arrival, Ask, Handled, LastWords, Reply, Role, Span } from './messages.js';

const SIDE = fileURLToPath(new URL('side.js', import.meta.url));
const CLOSE_MS = 5_000;
/** The slowest thing that is asked without a number of messages: a thousand topics are subscribed to. */
const LIMIT_MS = 120_000;
const LIMIT_OF_MESSAGES_MS = 30_000;
/** The slowest contender handles more messages a second by far. */
const LEAST_A_SECOND = 500;

export interface SideOptions {
  readonly role: Role;
  readonly url: string;
  /** Messages to count from the first on. Default none. */
  readonly armed?: number;
  /** The side is killed when it is aborted. */
  readonly signal: AbortSignal;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A side in a process of its own, as its parent sees it. Every request is answered or fails in bounded time. */
export class SideProcess {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  readonly #name: string;
  #asked = 0;
  #armed = 0;
  #lastWords = '';

  private constructor(spec: Spec, { role, signal }: SideOptions) {
    this.#name = `the ${role} of '${spec.name}'`;
    this.#child = fork(SIDE, [], { stdio: ['ignore', process.stderr, process.stderr, 'ipc'], signal, killSignal: 'SIGKILL' });
    this.#child.on('message', (message: Reply | LastWords) => this.#heard(message));
    this.#child.once('exit', (code, signalled) => this.#ended(signalled ?? `code ${code}`));
    // Aborted, or never begun; 'exit' or the limit of what it was asked follows.
    this.#child.on('error', () => undefined);
  }

  /** Resolves when it is connected; a consumer, when it gets messages. */
  static async open(spec: Spec, options: SideOptions): Promise<SideProcess> {
    const side = new SideProcess(spec, options);
    try {
      await side.arm(options.armed ?? 0);
      await side.#ask({ ask: 'open', role: options.role, url: options.url, spec });
      return side;
    } catch (error) {
      await side.kill();
      throw error;
    }
  }

  saturate(count: number): Promise<Span> {
    return this.#ask({ ask: 'saturate', count }, limitMs(count)) as Promise<Span>;
  }

  pace(count: number, rate: number): Promise<unknown> {
    return this.#ask({ ask: 'pace', count, rate }, limitMs(count) + (count / rate) * 1_000);
  }

  flood(count: number): Promise<number> {
    return this.#ask({ ask: 'flood', count }, limitMs(count)) as Promise<number>;
  }

  arm(count: number): Promise<unknown> {
    this.#armed = count;
    return this.#ask({ ask: 'arm', count });
  }

  arrived(): Promise<Arrival> {
    return this.#ask({ ask: 'arrived' }, limitMs(this.#armed)) as Promise<Arrival>;
  }

  /** What has come since it was armed. */
  handled(): Promise<Handled> {
    return this.#ask({ ask: 'handled' }) as Promise<Handled>;
  }

  /** Microseconds of its CPU so far, by the operating system. */
  cpuTimeUs(): Promise<number> {
    return this.#ask({ ask: 'cpu' }) as Promise<number>;
  }

  /** The highest of its heap since the last call, in bytes. */
  highestHeap(): Promise<number> {
    return this.#ask({ ask: 'heap' }) as Promise<number>;
  }

  async close(): Promise<void> {
    await this.#ask({ ask: 'close' }, CLOSE_MS).catch(() => undefined);
    await this.kill();
  }

  /** SIGKILL; resolves when it is gone. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }

  #ask(ask: Ask, limit = LIMIT_MS): Promise<unknown> {
    const id = ++this.#asked;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => this.#fail(id, `${this.#name} did not answer '${ask.ask}' in ${limit / 1_000} s`), limit);
      const finish = (settle: () => void): void => {
        clearTimeout(late);
        this.#waiting.delete(id);
        settle();
      };
      this.#waiting.set(id, {
        resolve: (value) => finish(() => resolve(value)),
        reject: (error) => finish(() => reject(error)),
      });
      this.#child.send({ id, ask }, (error) => error && this.#fail(id, `${this.#name} cannot be asked: ${error.message}`));
    });
  }

  #heard(message: Reply | LastWords): void {
    if ('lastWords' in message) this.#lastWords = `: ${message.lastWords}`;
    else if (message.error === undefined) this.#waiting.get(message.id)?.resolve(message.value);
    else this.#fail(message.id, `${this.#name}: ${message.error}`);
  }

  #fail(id: number, why: string): void {
    this.#waiting.get(id)?.reject(new Error(why));
  }

  #ended(how: string): void {
    for (const id of this.#waiting.keys()) this.#fail(id, `${this.#name} ended with ${how}${this.#lastWords}`);
  }
}

function limitMs(messages: number): number {
  return LIMIT_OF_MESSAGES_MS + (messages / LEAST_A_SECOND) * 1_000;
}
