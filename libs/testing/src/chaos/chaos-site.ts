import { ClusterSite } from '../sites/cluster-site.js';
import { SentinelSite } from '../sites/sentinel-site.js';
import type { Site } from '../sites/site.js';
import { StandaloneSite } from '../sites/standalone-site.js';
import { clusterFaults, sentinelFaults, type SiteFaults, standaloneFaults } from './site-faults.js';

/** How Redis is set up. */
export type TopologyName = 'standalone' | 'cluster' | 'sentinel';

/** The servers of a run, and what may happen to them. */
export interface ChaosSite {
  readonly site: Site;
  /** @param slots those that are moved where there are several nodes, as they are at the time of a fault */
  readonly faults: (random: () => number, slots: () => Promise<readonly number[]>) => SiteFaults;
}

export interface ChaosSiteOptions {
  /** Whether a primary of a Cluster, too, takes no writes while nobody follows it. Default false. */
  readonly isClusterFollowed?: boolean;
}

/** A server loses nothing that it has confirmed by a crash. */
export const CHAOS_DURABLE = { appendonly: 'always' } as const;
/** So many replicas has each primary, where there are any: one that lags, or is gone, leaves another one in step. */
export const CHAOS_REPLICAS = 2;
/** A primary that nobody follows any more takes no writes: it may have been replaced while it stood still. */
const FOLLOWED = ['--min-replicas-to-write', '1', '--min-replicas-max-lag', '2'];
const REPLICATED = { ...CHAOS_DURABLE, replicas: CHAOS_REPLICAS };

const STARTS: Record<TopologyName, (options: ChaosSiteOptions) => Promise<ChaosSite>> = {
  standalone: async () => {
    const site = await StandaloneSite.start(CHAOS_DURABLE);
    return { site, faults: (random) => standaloneFaults(site, random) };
  },
  cluster: async ({ isClusterFollowed = false }) => {
    const site = await ClusterSite.start({ ...REPLICATED, ...(isClusterFollowed && { extra: FOLLOWED }) });
    return { site, faults: (random, slots) => clusterFaults(site, random, slots) };
  },
  sentinel: async () => {
    const site = await SentinelSite.start({ ...REPLICATED, extra: FOLLOWED });
    return { site, faults: (random) => sentinelFaults(site, random) };
  },
};

/** Starts servers that lose nothing that they have confirmed as long as one copy is left; the caller stops them. */
export function startChaosSite(topology: TopologyName, options: ChaosSiteOptions = {}): Promise<ChaosSite> {
  return STARTS[topology](options);
}
