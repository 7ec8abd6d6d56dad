import type { Actor } from '@millrace/testing';
import type { Fault } from './faults.js';
import { SimulatedProcess } from './simulated-process.js';
import type { World } from './world.js';

const RESTART_MS = 150;

const OF_REDIS = ['redis-clock', 'redis-stall', 'forget-scripts', 'destroy-group'] as const;

type RedisFault = Extract<Fault, { readonly kind: (typeof OF_REDIS)[number] }>;

function isOfRedis(fault: Fault): fault is RedisFault {
  return (OF_REDIS as readonly string[]).includes(fault.kind);
}

/** The processes of a run. Each has a place, and one that died is followed by another there. */
export class Crew {
  readonly #world: World;
  readonly #processes: SimulatedProcess[];
  /** Starts processes anew. */
  readonly #nobody: Actor;
  #count = 0;

  constructor(world: World) {
    this.#world = world;
    this.#nobody = world.time.actor('orchestrator');
    this.#processes = Array.from({ length: world.plan.members + 1 }, (_, place) => this.#start(place));
  }

  /** Publishes of living processes that have neither resolved nor failed. */
  get openPublishes(): number {
    return this.#processes.reduce((sum, { openPublishes }) => sum + openPublishes, 0);
  }

  at(place: number): SimulatedProcess {
    return this.#processes[place]!;
  }

  apply(fault: Fault): void {
    this.#world.record(`fault ${JSON.stringify(fault)}`);
    if ('process' in fault) this.#befall(this.at(fault.process), fault);
    else if (isOfRedis(fault)) this.#befallRedis(fault);
    else if (fault.kind === 'strand') this.#world.strand({ ...fault, sent: (name) => this.#stopBehind(name, fault.frozenMs) });
    else this.#publisher.operate(fault);
  }

  /** An operator works there, too. */
  get #publisher(): SimulatedProcess {
    return this.at(this.#world.plan.members);
  }

  #befall(process: SimulatedProcess, fault: Extract<Fault, { readonly process: number }>): void {
    const { time, history } = this.#world;
    switch (fault.kind) {
      case 'lose':
        return process.lose();
      case 'kill':
        return this.#kill(process);
      case 'stop':
        // Nobody may hear that it stops.
        if (fault.loses) history.presumedDeaths += 1;
        if (fault.loses) process.lose();
        return process.stop(fault.deadlineMs);
      case 'freeze':
        return this.#freeze(process, fault.forMs);
      case 'cut':
        history.presumedDeaths += 1;
        process.cut(fault.how);
        time.after(fault.forMs, () => process.cut(null));
        return;
      case 'redrive':
        return this.#redrive(fault);
      case 'clock':
        return process.actor.stepClock(fault.byMs);
    }
  }

  #befallRedis(fault: RedisFault): void {
    const { time, redis, server, plan } = this.#world;
    switch (fault.kind) {
      case 'redis-clock':
        return redis.stepClock(fault.byMs);
      case 'redis-stall':
        redis.freeze();
        time.after(fault.forMs, () => redis.thaw());
        return;
      case 'forget-scripts':
        return void server.execute('SCRIPT', 'FLUSH');
      case 'destroy-group':
        if (fault.kills) for (const member of this.#processes.slice(0, plan.members)) this.#kill(member);
        return this.#destroyGroup(fault.choice);
    }
  }

  /** Between two turns of the member, which has sent its request by then. */
  #stopBehind(name: string, frozenMs: number | null): void {
    const process = this.#processes.find((each) => each.name === name)!;
    const stop = (): void => (frozenMs === null ? this.#kill(process) : this.#freeze(process, frozenMs));
    this.#world.time.after(0, stop, this.#nobody);
  }

  #freeze(process: SimulatedProcess, forMs: number): void {
    this.#world.history.presumedDeaths += 1;
    process.freeze();
    this.#world.time.after(forMs, () => process.thaw(), this.#nobody);
  }

  /** Two operators redrive the same; the request of the one arrives late. */
  #redrive(fault: Extract<Fault, { readonly kind: 'redrive' }>): void {
    const late = this.at(fault.process);
    this.#world.strand({ request: 'redrive', of: late.name, lateMs: fault.lateMs, sent: nothing });
    for (const operator of [late, this.at((fault.process + 1) % this.#processes.length)]) operator.operate(fault);
  }

  #kill(process: SimulatedProcess): void {
    if (process.actor.isDead) return;
    this.#world.history.presumedDeaths += 1;
    process.kill();
  }

  /** One group of one stream. */
  #destroyGroup(choice: number): void {
    const { server } = this.#world;
    const groups = server.memory.keys().filter((key) => server.execute('TYPE', key) === 'stream').flatMap((key) => {
      return (server.execute('XINFO', 'GROUPS', key) as unknown[][]).map(([, name]) => [key, String(name)] as const);
    });
    const chosen = groups[choice % groups.length];
    if (!chosen) return;
    server.execute('XGROUP', 'DESTROY', ...chosen);
    this.#world.destroyedAtMs = this.#world.time.nowMs;
  }

  #start(place: number): SimulatedProcess {
    const again = (): void => void (this.#processes[place] = this.#start(place));
    const ended = (): void => void this.#world.time.after(RESTART_MS, again, this.#nobody);
    const process = new SimulatedProcess(this.#world, `p${place}.${(this.#count += 1)}`, ended);
    process.start(place < this.#world.plan.members);
    return process;
  }
}

function nothing(): void {
  // The process goes on.
}
