import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { WorkerMessage } from '../worker-message.js';
import type { ProcessKind } from './process-kind.js';

const WORKER = fileURLToPath(new URL('../worker.js', import.meta.url));

/** A process to be started. */
export interface WorkerPlan {
  readonly kind: ProcessKind;
  readonly name: string;
  readonly env: NodeJS.ProcessEnv;
}

/** How a process ended: its exit code, or the signal that ended it. */
export type WorkerEnd = number | NodeJS.Signals;

export interface WorkerEvents {
  /** It wrote that to stdout or stderr. */
  readonly onLine: (line: string) => void;
  readonly onMessage: (worker: WorkerProcess, message: WorkerMessage) => void;
  readonly onEnd: (worker: WorkerProcess, end: WorkerEnd) => void;
}

/** starting -> ready -> ended; a process that is killed or stopped ends from either. */
export class WorkerProcess {
  readonly kind: ProcessKind;
  readonly name: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  #state: 'starting' | 'ready' | 'ended' = 'starting';

  constructor({ kind, name, env }: WorkerPlan, events: WorkerEvents) {
    this.kind = kind;
    this.name = name;
    // A process group of its own: the Ctrl-C of a terminal goes to the demo alone, which ends its workers in order.
    this.#child = fork(WORKER, [], { env, detached: true, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    for (const stream of [this.#child.stdout, this.#child.stderr]) if (stream) createInterface(stream).on('line', events.onLine);
    this.#child.on('message', (message: WorkerMessage) => {
      if (message.kind === 'ready') this.#state = 'ready';
      events.onMessage(this, message);
    });
    // Not 'exit': that may come before the last lines that it wrote.
    this.#ended = once(this.#child, 'close');
    this.#child.once('close', (code: number | null, signal: NodeJS.Signals | null) => {
      this.#state = 'ended';
      events.onEnd(this, signal ?? code ?? 1);
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get ready(): boolean {
    return this.#state === 'ready';
  }

  /** kill -9, and waits until it is gone. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  /** Lets it finish what it holds, until the deadline. */
  async stop(deadlineMs: number): Promise<void> {
    this.#child.kill('SIGTERM');
    const late = setTimeout(() => this.#child.kill('SIGKILL'), deadlineMs);
    await this.#ended;
    clearTimeout(late);
  }
}
