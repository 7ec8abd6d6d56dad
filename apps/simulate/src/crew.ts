import type { Fault } from './plan.js';
import { SimulatedProcess } from './simulated-process.js';
import type { World } from './world.js';

const RESTART_MS = 150;

/** The processes of a run. Each has a place, and one that died is followed by another there. */
export class Crew {
  readonly #world: World;
  readonly #processes: SimulatedProcess[];
  #count = 0;

  constructor(world: World) {
    this.#world = world;
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
    const { time, redis, server, history } = this.#world;
    this.#world.record(`fault ${JSON.stringify(fault)}`);
    const process = 'process' in fault ? this.at(fault.process) : null;
    switch (fault.kind) {
      case 'lose':
        return process!.lose();
      case 'kill':
        history.presumedDeaths += 1;
        process!.kill();
        time.after(RESTART_MS, () => void (this.#processes[fault.process] = this.#start(fault.process)));
        return;
      case 'freeze':
        history.presumedDeaths += 1;
        process!.actor.freeze();
        time.after(fault.forMs, () => process!.actor.thaw());
        return;
      case 'cut':
        history.presumedDeaths += 1;
        process!.cut(fault.how);
        time.after(fault.forMs, () => process!.cut(null));
        return;
      case 'clock':
        return process!.actor.stepClock(fault.byMs);
      case 'redis-clock':
        return redis.stepClock(fault.byMs);
      case 'redis-stall':
        redis.freeze();
        time.after(fault.forMs, () => redis.thaw());
        return;
      case 'forget-scripts':
        return void server.execute('SCRIPT', 'FLUSH');
      case 'destroy-group':
        return this.#destroyGroup(fault.choice);
    }
  }

  /** One group of one stream. */
  #destroyGroup(choice: number): void {
    const { server } = this.#world;
    const groups = server.memory.keys().filter((key) => server.execute('TYPE', key) === 'stream').flatMap((key) => {
      return (server.execute('XINFO', 'GROUPS', key) as unknown[][]).map(([, name]) => [key, String(name)] as const);
    });
    const chosen = groups[choice % groups.length];
    if (chosen) server.execute('XGROUP', 'DESTROY', ...chosen);
  }

  #start(place: number): SimulatedProcess {
    const process = new SimulatedProcess(this.#world, `p${place}.${(this.#count += 1)}`);
    process.start(place < this.#world.plan.members);
    return process;
  }
}
