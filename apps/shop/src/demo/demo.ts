import { formatThousandths } from '../orders/money.js';
import { SeededRandom } from '../random/seeded-random.js';
import type { Cleanup } from './cleanup.js';
import { Conductor } from './conductor.js';
import { readEffects } from './effects.js';
import { type Input, readInput } from './input.js';
import { Killer } from './killer.js';
import { type Observation, Observer } from './observer.js';
import type { DemoOptions } from './options.js';
import { readOrderKept } from './order-kept.js';
import { planReplay, type ReplayPlan } from './replay-plan.js';
import { NO_KILLS, PROCESS_KINDS } from './process-kind.js';
import { Replay } from './replay.js';
import { type Report, reportOf } from './report.js';
import { ShopProcess, type ShopSettings, workerEnvironment } from './shop-process.js';
import type { Stage } from './stage.js';
import { findSurroundings, type Surroundings } from './surroundings.js';
import { tableOf } from './table.js';
import type { Terminal, TextSink } from './terminal.js';
import { Trade } from './trade.js';
import { judge } from './verdict.js';
import type { WorkToDo } from './work.js';
import { WorkerPool } from './worker-pool.js';

/** The subject of a verdict. */
interface Outcome {
  readonly input: Input;
  readonly plan: ReplayPlan;
  readonly observation: Observation;
}

export interface DemoParts {
  readonly options: DemoOptions;
  readonly terminal: Terminal;
  readonly cleanup: Cleanup;
  /** For the result. */
  readonly out: TextSink;
}

/** One run of the demo: input, surroundings, replay, verdict, and trade until it is stopped. */
export class Demo {
  readonly #parts: DemoParts;
  readonly #startedAt = performance.now();

  constructor(parts: DemoParts) {
    this.#parts = parts;
  }

  /** @returns whether everything came out right */
  async run(signal: AbortSignal): Promise<boolean> {
    const { options, terminal, cleanup } = this.#parts;
    const input = await readInput(options, terminal, signal);
    signal.throwIfAborted();
    const plan = planReplay(input.orders, options, this.#random('plan'));
    const surroundings = await findSurroundings({ topology: options.topology, cleanup, terminal });
    signal.throwIfAborted();
    const stage = await this.#stage(surroundings, plan);
    const { observation, stuck } = await this.#conductor(stage, workOf(input, plan)).run(signal);
    if (stuck) terminal.say('nothing has moved for a minute: giving up');
    const ok = await this.#conclude(stage, { input, plan, observation });
    if (options.once || !ok) return ok;
    return this.#goOn(stage, { input, plan }, signal);
  }

  async #stage(surroundings: Surroundings, plan: ReplayPlan): Promise<Stage> {
    const { options, terminal, cleanup } = this.#parts;
    const settings = { surroundings, ordered: options.ordered };
    const pool = options.workers === undefined ? null : new WorkerPool(terminal);
    if (pool) cleanup.add('stop the workers', () => pool.stop());
    const processes = `its ${options.workers} worker processes, and one each for the checkout and the payments`;
    terminal.say(pool ? `starting the shop, ${processes}` : 'starting the shop');
    if (pool) startWorkers(pool, settings, options.workers ?? 0);
    const shop = await ShopProcess.start(settings, pool ? 'none' : 'all', cleanup);
    const { placement, outbox, inspector, jobs } = shop;
    const { database } = surroundings;
    const observer = new Observer({ outbox, inspector, jobs, database });
    return { replay: new Replay(plan.batches, placement), observer, database, terminal, pool };
  }

  #conductor(stage: Stage, toDo: WorkToDo): Conductor {
    const killer = stage.pool && new Killer(stage.pool, this.#random('kills'), this.#parts.options.kill);
    return new Conductor({ ...stage, toDo, killer });
  }

  async #goOn(stage: Stage, { input, plan }: Omit<Outcome, 'observation'>, signal: AbortSignal): Promise<boolean> {
    this.#parts.terminal.say('the shop stays open: a generated order every half second until Ctrl-C');
    const trade = new Trade(stage, this.#parts.options.seed);
    const observation = await trade.run(signal);
    const traded = { ...input, orders: [...input.orders, ...trade.orders], placed: input.placed + trade.placed };
    return this.#conclude(stage, { input: traded, plan, observation });
  }

  /** Reports the verdict: the result to `out`, the problems to the terminal. */
  async #conclude(stage: Stage, { input, plan, observation }: Outcome): Promise<boolean> {
    const { options, terminal, out } = this.#parts;
    const effects = await readEffects(stage.database);
    const order = options.ordered ? await readOrderKept(stage.database) : undefined;
    const { published, duplicates, failures } = stage.replay;
    const killed = stage.pool?.killed ?? new Set();
    const verdict = judge({ orders: input.orders, poison: plan.poison, effects, observation, failures, killed, order });
    const counted = { published, duplicates, kills: stage.pool?.kills ?? NO_KILLS, seed: options.seed };
    const elapsedMs = Math.round(performance.now() - this.#startedAt);
    const report = reportOf({ input, effects, observation, verdict, order, ...counted, elapsedMs });
    terminal.endProgress();
    const beside = { mails: verdict.mails, charges: formatThousandths(verdict.calls.expected) };
    out.write(options.json ? json(report) : `\n${tableOf(report, beside)}\n\n`);
    for (const problem of verdict.problems) terminal.say(`not as it must be: ${problem}`);
    return report.ok;
  }

  #random(name: string): SeededRandom {
    return new SeededRandom(this.#parts.options.seed, name);
  }
}

/** Those that handle orders, and one for each service. */
function startWorkers(pool: WorkerPool, settings: ShopSettings, count: number): void {
  const workers = Array.from({ length: count }, (_, index) => ({ kind: 'worker', name: `worker ${index + 1}` }) as const);
  const services = PROCESS_KINDS.filter((kind) => kind !== 'worker').map((kind) => ({ kind, name: kind }));
  for (const plan of [...workers, ...services]) pool.start({ ...plan, env: workerEnvironment(settings, plan.kind) });
}

/** Inventory gets every message, notifications the orders alone; poison ones get no mail. */
function workOf({ orders, placed }: Input, { poison }: ReplayPlan): WorkToDo {
  return { deliveries: orders.length + placed, mails: placed - poison.size };
}

function json(report: Report): string {
  return `${JSON.stringify(report, null, 2)}\n`;
}
