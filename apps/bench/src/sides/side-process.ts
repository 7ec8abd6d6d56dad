import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Spec } from '../contenders/contender.js';
import type { Arrival, Ask, Reply, Role, Span } from './messages.js';

const SIDE = fileURLToPath(new URL('side.js', import.meta.url));
const CLOSE_MS = 5_000;
const DEFAULT_LIMIT_MS = 120_000;

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A side in a process of its own, as its parent sees it. Whatever it is asked is answered or fails within two minutes. */
export class SideProcess {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, Waiting>();
  readonly #name: string;
  #asked = 0;

  private constructor(role: Role, spec: Spec) {
    this.#name = `the ${role} of '${spec.name}'`;
    this.#child = fork(SIDE, [], { stdio: ['ignore', process.stderr, process.stderr, 'ipc'] });
    this.#child.on('message', (reply: Reply) => this.#answered(reply));
    this.#child.once('exit', (code, signal) => this.#ended(`${this.#name} ended with ${signal ?? `code ${code}`}`));
  }

  /**
   * Resolves when it is connected; a consumer, when it gets messages.
   *
   * @param spec.armed messages to count from the first on. Default none
   */
  static async open(role: Role, url: string, { armed = 0, ...spec }: Spec & { readonly armed?: number }): Promise<SideProcess> {
    const side = new SideProcess(role, spec);
    try {
      await side.arm(armed);
      await side.#ask({ ask: 'open', role, url, spec });
      return side;
    } catch (error) {
      await side.kill();
      throw error;
    }
  }

  saturate(count: number): Promise<Span> {
    return this.#ask({ ask: 'saturate', count }) as Promise<Span>;
  }

  pace(count: number, rate: number): Promise<unknown> {
    return this.#ask({ ask: 'pace', count, rate });
  }

  flood(count: number): Promise<number> {
    return this.#ask({ ask: 'flood', count }) as Promise<number>;
  }

  arm(count: number): Promise<unknown> {
    return this.#ask({ ask: 'arm', count });
  }

  arrived(): Promise<Arrival> {
    return this.#ask({ ask: 'arrived' }) as Promise<Arrival>;
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

  #ask(ask: Ask, limitMs = DEFAULT_LIMIT_MS): Promise<unknown> {
    const id = ++this.#asked;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => this.#fail(id, `${this.#name} did not answer '${ask.ask}' in ${limitMs / 1_000} s`), limitMs);
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

  #answered({ id, value, error }: Reply): void {
    if (error === undefined) this.#waiting.get(id)?.resolve(value);
    else this.#fail(id, `${this.#name}: ${error}`);
  }

  #fail(id: number, why: string): void {
    this.#waiting.get(id)?.reject(new Error(why));
  }

  #ended(why: string): void {
    for (const id of this.#waiting.keys()) this.#fail(id, why);
  }
}
