import { MillraceError } from '@millrace/core';
import type { SeededRandom } from '../random/seeded-random.js';
import type { WorkerMessage } from '../worker-message.js';
import { Recoveries } from './recoveries.js';
import type { Terminal } from './terminal.js';
import { type WorkerEnd, WorkerProcess } from './worker-process.js';

/** Longer than handlers at work are given. */
const STOP_MS = 10_000;

/** Keeps a number of worker processes running: one that is killed is started again. */
export class WorkerPool {
  readonly #env: NodeJS.ProcessEnv;
  readonly #terminal: Terminal;
  readonly #workers = new Set<WorkerProcess>();
  readonly #killed = new Set<WorkerProcess>();
  readonly #recoveries: Recoveries;
  #stopping = false;
  #failure: MillraceError | null = null;

  constructor(env: NodeJS.ProcessEnv, terminal: Terminal) {
    this.#env = env;
    this.#terminal = terminal;
    this.#recoveries = new Recoveries(terminal);
  }

  start(count: number): void {
    for (let number = 1; number <= count; number += 1) this.#start(`worker ${number}`);
  }

  get kills(): number {
    return this.#killed.size;
  }

  get hasReady(): boolean {
    return this.#ready().length > 0;
  }

  /** @throws MillraceError CLOSED when a worker ended that nobody killed */
  assertWell(): void {
    if (this.#failure) throw this.#failure;
  }

  /** kill -9 of any worker that is at work; another one takes its place. */
  async killOne(random: SeededRandom): Promise<void> {
    const [victim] = random.sample(this.#ready(), 1);
    if (!victim) return;
    this.#killed.add(victim);
    await victim.kill();
    this.#terminal.say(`killed ${victim.name} (process ${victim.pid}) with SIGKILL; starting it again`);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all([...this.#workers].map((worker) => worker.stop(STOP_MS)));
    this.#recoveries.tell();
  }

  #ready(): WorkerProcess[] {
    return [...this.#workers].filter((worker) => worker.ready);
  }

  #start(name: string): void {
    const worker = new WorkerProcess(name, this.#env, {
      onLine: (line) => this.#terminal.say(line),
      onMessage: (from, message) => this.#hear(from, message),
      onEnd: (ended, how) => this.#replace(ended, how),
    });
    this.#workers.add(worker);
  }

  #hear(worker: WorkerProcess, message: WorkerMessage): void {
    if (message.kind === 'ready') this.#terminal.say(`${worker.name} (process ${worker.pid}) is at work`);
    else this.#recoveries.add(worker.name, message.from, message.count);
  }

  #replace(worker: WorkerProcess, how: WorkerEnd): void {
    this.#workers.delete(worker);
    if (this.#stopping) return;
    if (this.#killed.has(worker)) return this.#start(worker.name);
    const message = `${worker.name} (process ${worker.pid}) ended by itself (${how}), though nobody stopped it. Its last lines above tell why.`;
    this.#failure ??= new MillraceError('CLOSED', message);
  }
}
