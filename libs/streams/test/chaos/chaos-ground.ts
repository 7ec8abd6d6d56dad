import { connectRedis, type RedisTarget, slotOf, type Topology } from '@millrace/redis';
import {
  clusterFaults, ClusterSite, type Network, sentinelFaults, SentinelSite, type Site, type SiteFaults, standaloneFaults,
  StandaloneSite, uniqueName,
} from '@millrace/testing';
import { compiler, startSteppedRedis } from '../crashes/stepped-redis.js';
import type { Process } from '../fixture.js';
import { SiteGround, type StartOptions } from '../site-ground.js';
import { REPLICAS, type TopologyName } from './plan.js';

/** The clock of Redis is never further aside: a retry that waits becomes due when the clock has caught up. */
const FURTHEST_MS = 5_000;
const DURABLE = { appendonly: 'always' } as const;

interface Broken {
  readonly site: Site;
  readonly faults: (random: () => number, logs: readonly string[]) => SiteFaults;
}

/** The servers of a run, which lose nothing that they have confirmed as long as one copy is left, and its processes. */
export class ChaosGround extends SiteGround {
  readonly site: Site;
  readonly #faults: Broken['faults'];
  readonly #direct: Topology;
  #networks: Network[] = [];

  private constructor({ site, faults }: Broken, direct: Topology) {
    super();
    this.prefix = uniqueName('chaos');
    this.site = site;
    this.#faults = faults;
    this.#direct = direct;
  }

  static async open(topology: TopologyName): Promise<ChaosGround> {
    const broken = await STARTS[topology]();
    return new ChaosGround(broken, await connectRedis({ ...broken.site.target, name: 'spec' }));
  }

  get target(): RedisTarget {
    return this.site.target;
  }

  /** @param logs keys whose slots are moved where there are several nodes */
  faults(random: () => number, logs: readonly string[]): SiteFaults {
    return this.#faults(random, logs);
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

const STARTS: Record<TopologyName, () => Promise<Broken>> = {
  standalone: startServer,
  cluster: async () => {
    const site = await ClusterSite.start({ ...DURABLE, replicas: REPLICAS });
    return { site, faults: (random, logs) => clusterFaults(site, random, async () => logs.map(slotOf)) };
  },
  sentinel: async () => {
    // A primary that nobody follows any more takes no writes: it may have been replaced while it stood still.
    const extra = ['--min-replicas-to-write', '1', '--min-replicas-max-lag', '2'];
    const site = await SentinelSite.start({ ...DURABLE, replicas: REPLICAS, extra });
    return { site, faults: (random) => sentinelFaults(site, random) };
  },
};

/** The wall clock can be stepped where there is a C compiler. */
async function startServer(): Promise<Broken> {
  if (!compiler) {
    const site = await StandaloneSite.start(DURABLE);
    return { site, faults: (random) => standaloneFaults(site, random) };
  }
  const stepped = await startSteppedRedis(DURABLE);
  const site = new StandaloneSite(stepped);
  let asideMs = 0;
  const redisClock = (random: () => number) => async (): Promise<void> => {
    const toMs = Math.round((random() * 2 - 1) * FURTHEST_MS);
    await stepped.step(toMs - asideMs);
    asideMs = toMs;
  };
  return { site, faults: (random) => ({ ...standaloneFaults(site, random), redisClock: redisClock(random) }) };
}
