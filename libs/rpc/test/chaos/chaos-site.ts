import { type LocalServer, onServer, slotOf } from '@millrace/redis';
import { clusterFaults, ClusterSite, sentinelFaults, SentinelSite, type Site, type SiteFaults, standaloneFaults, StandaloneSite } from '@millrace/testing';

/** How Redis is set up. */
export type TopologyName = 'standalone' | 'cluster' | 'sentinel';

/** The servers of a run, and what may happen to them. */
export interface ChaosSite {
  readonly site: Site;
  /** @param prefix of the keys whose slots are moved where there are several nodes */
  readonly faults: (random: () => number, prefix: string) => SiteFaults;
}

/** A server loses nothing that it has confirmed by a crash. */
const DURABLE = { appendonly: 'always' } as const;
/** So many replicas has each primary, where there are any: one that lags, or is gone, leaves another one in step. */
const REPLICAS = 2;
/** A primary that nobody follows any more takes no writes: it may have been replaced while it stood still. */
const FOLLOWED = ['--min-replicas-to-write', '1', '--min-replicas-max-lag', '2'];

const STARTS: Record<TopologyName, () => Promise<ChaosSite>> = {
  standalone: async () => {
    const site = await StandaloneSite.start(DURABLE);
    return { site, faults: (random) => standaloneFaults(site, random) };
  },
  cluster: async () => {
    const site = await ClusterSite.start({ ...DURABLE, replicas: REPLICAS, extra: FOLLOWED });
    return { site, faults: (random, prefix) => clusterFaults(site, random, () => usedSlots(site, prefix)) };
  },
  sentinel: async () => {
    const site = await SentinelSite.start({ ...DURABLE, replicas: REPLICAS, extra: FOLLOWED });
    return { site, faults: (random) => sentinelFaults(site, random) };
  },
};

export function startChaosSite(topology: TopologyName): Promise<ChaosSite> {
  return STARTS[topology]();
}

/** One for each purpose of a slot, so that each is moved as often as another: there are many answers that are kept. */
async function usedSlots({ cluster }: ClusterSite, prefix: string): Promise<number[]> {
  const keysOf = (node: LocalServer): Promise<unknown> => onServer(node, (call) => call('KEYS', `${prefix}:*`));
  const keys = (await Promise.all((await cluster.primaries()).map(keysOf))).flat() as string[];
  const byPurpose = new Map(keys.map((key) => [purposeOf(key), key]));
  return [...byPurpose.values()].map(slotOf);
}

/** Streams each have their own; the entries of a ledger share one. */
function purposeOf(key: string): string {
  return /\{ledger:/.exec(key)?.[0] ?? key;
}
