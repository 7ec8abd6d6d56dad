import { MillraceError } from '@millrace/core';
import type { SeededRandom } from '../random/seeded-random.js';
import type { WorkerMessage } from '../worker-message.js';
import { type KillCounts, PROCESS_KINDS, type ProcessKind } from './process-kind.js';
import { Recoveries } from './recoveries.js';
import type { Terminal } from './terminal.js';
import { type WorkerEnd, type WorkerPlan, WorkerProcess } from './worker-process.js';

/** Longer than handlers at work are given. */
const STOP_MS = 10_000;

/** Keeps the processes of the shop running: one that is killed is started again. */
export class WorkerPool {
  readonly #terminal: Terminal;
  readonly #workers = new Set<WorkerProcess>();
  readonly #killed = new Set<WorkerProcess>();
  /** Those that were killed in this round, by their names. */
  readonly #struck = new Map<string, ProcessKind>();
  readonly #recoveries: Recoveries;
  #stopping = false;
  #failure: MillraceError | null = null;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
    this.#recoveries = new Recoveries(terminal);
  }

  start(plan: WorkerPlan): void {
    const worker = new WorkerProcess(plan, {
      onLine: (line) => this.#terminal.say(line),
      onMessage: (from, message) => this.#hear(from, message),
      onEnd: (ended, how) => this.#replace(ended, how, plan),
    });
    this.#workers.add(worker);
  }

  get kills(): KillCounts {
    const killed = [...this.#killed];
    const counts = PROCESS_KINDS.map((kind) => [kind, killed.filter((victim) => victim.kind === kind).length] as const);
    return Object.fromEntries(counts) as Record<ProcessKind, number>;
  }

  /** The ids of the processes that were killed. */
  get killed(): ReadonlySet<number> {
    return new Set([...this.#killed].map(({ pid }) => pid));
  }

  /** Whether there is a process to kill. */
  get hasVictim(): boolean {
    return this.#victims().length > 0;
  }

  /** @throws MillraceError CLOSED when a worker ended that nobody killed */
  assertWell(): void {
    if (this.#failure) throw this.#failure;
  }

  /**
   * kill -9 of any process that is at work; another one takes its place. None is killed again before all others were, and no
   * second one of a kind before one of each kind.
   */
  async killOne(random: SeededRandom): Promise<void> {
    const [victim] = random.sample(this.#victims(), 1);
    if (!victim) return;
    this.#killed.add(victim);
    this.#struck.set(victim.name, victim.kind);
    if (this.#struck.size === this.#workers.size) this.#struck.clear();
    await victim.kill();
    this.#terminal.say(`killed ${victim.name} (process ${victim.pid}) with SIGKILL; starting it again`);
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all([...this.#workers].map((worker) => worker.stop(STOP_MS)));
    this.#recoveries.tell();
  }

  #victims(): WorkerProcess[] {
    const kinds = new Set(this.#struck.values());
    const isEachStruck = PROCESS_KINDS.every((kind) => kinds.has(kind));
    const left = [...this.#workers].filter(({ ready, name }) => ready && !this.#struck.has(name));
    return isEachStruck ? left : left.filter(({ kind }) => !kinds.has(kind));
  }

  #hear(worker: WorkerProcess, message: WorkerMessage): void {
    if (message.kind === 'ready') this.#terminal.say(`${worker.name} (process ${worker.pid}) is at work`);
    else this.#recoveries.add(worker.name, message.from, message.count);
  }

  #replace(worker: WorkerProcess, how: WorkerEnd, plan: WorkerPlan): void {
    this.#workers.delete(worker);
    if (this.#stopping) return;
    if (this.#killed.has(worker)) return this.start(plan);
    const message = `${worker.name} (process ${worker.pid}) ended by itself (${how}), though nobody stopped it. Its last lines above tell why.`;
    this.#failure ??= new MillraceError('CLOSED', message);
  }
}
