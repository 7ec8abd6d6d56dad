import { connectRedis, type RedisTarget, slotOf, type Topology } from '@millrace/redis';
import {
  CHAOS_DURABLE, type ChaosSite, type Network, type Site, type SiteFaults, standaloneFaults, StandaloneSite, startChaosSite,
  type TopologyName, uniqueName,
} from '@millrace/testing';
import { compiler, startSteppedRedis } from '../crashes/stepped-redis.js';
import type { Process } from '../fixture.js';
import { SiteGround, type StartOptions } from '../site-ground.js';

/** The clock of Redis is never further aside: a retry that waits becomes due when the clock has caught up. */
const FURTHEST_MS = 5_000;

/** The servers of a run, which lose nothing that they have confirmed as long as one copy is left, and its processes. */
export class ChaosGround extends SiteGround {
  readonly site: Site;
  readonly #faults: ChaosSite['faults'];
  readonly #direct: Topology;
  #networks: Network[] = [];

  private constructor({ site, faults }: ChaosSite, direct: Topology) {
    super();
    this.prefix = uniqueName('chaos');
    this.site = site;
    this.#faults = faults;
    this.#direct = direct;
  }

  static async open(topology: TopologyName): Promise<ChaosGround> {
    const place = await (topology === 'standalone' && compiler ? startSteppedSite() : startChaosSite(topology));
    return new ChaosGround(place, await connectRedis({ ...place.site.target, name: 'spec' }));
  }

  get target(): RedisTarget {
    return this.site.target;
  }

  /** @param logs keys whose slots are moved where there are several nodes */
  faults(random: () => number, logs: readonly string[]): SiteFaults {
    return this.#faults(random, async () => logs.map(slotOf));
  }

  network(): Promise<Network> {
    return this.site.network();
  }

  start(options: StartOptions = {}): Promise<Process<Topology>> {
    return this.startAt(this.target, options);
  }

  /** A process whose own network can be broken. */
  async startBehindNetwork(options: StartOptions): Promise<{ process: Process<Topology>; network: Network }> {
    const network = await this.network();
    this.#networks.push(network);
    return { network, process: await this.startAt(network.target, options) };
  }

  read(command: string, key: string, ...args: (string | number)[]): Promise<unknown> {
    return this.#direct.controlFor(key).call(command, key, ...args);
  }

  async close(): Promise<void> {
    await this.clear();
    await Promise.all(this.#networks.splice(0).map((network) => network.stop()));
    this.#direct.close();
    await this.site.stop();
  }
}

/** One server whose wall clock is stepped, too. */
async function startSteppedSite(): Promise<ChaosSite> {
  const stepped = await startSteppedRedis(CHAOS_DURABLE);
  const site = new StandaloneSite(stepped);
  let asideMs = 0;
  const redisClock = (random: () => number) => async (): Promise<void> => {
    const toMs = Math.round((random() * 2 - 1) * FURTHEST_MS);
    await stepped.step(toMs - asideMs);
    asideMs = toMs;
  };
  return { site, faults: (random) => ({ ...standaloneFaults(site, random), redisClock: redisClock(random) }) };
}
