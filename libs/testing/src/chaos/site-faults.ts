import { type LocalServer, onServer } from '@millrace/redis';
import type { ClusterSite } from '../sites/cluster-site.js';
import type { SentinelSite } from '../sites/sentinel-site.js';
import type { StandaloneSite } from '../sites/standalone-site.js';
import { waitFor } from '../wait-for.js';
import { oneOf } from './draw.js';
import { lasting } from './faults.js';

/** Faults of servers by their names. Each begins, lasts, and ends by itself: all servers are well again when it resolves. */
export type SiteFaults = Readonly<Record<string, () => Promise<unknown>>>;

const PROMOTED_WITHIN_MS = 30_000;

export function standaloneFaults({ server }: StandaloneSite, random: () => number): SiteFaults {
  return {
    redisKill: async () => {
      await server.kill();
      await server.restart();
    },
    /** For shorter and longer than the time-out of commands. */
    redisFreeze: async () => {
      server.pause();
      await lasting(random() < 0.7 ? 200 : 2_500);
      server.resume();
    },
    ...clientFaults([server]),
  };
}

type Slots = () => Promise<readonly number[]>;

/** @param slots those that are moved, as they are at the time of a fault */
export function clusterFaults({ cluster }: ClusterSite, random: () => number, slots: Slots): SiteFaults {
  const somePrimary = async (): Promise<LocalServer> => oneOf(await cluster.primaries(), random);
  const someReplica = async (): Promise<LocalServer> => oneOf(await cluster.replicasOf(await somePrimary()), random);
  const promoted = (gone: LocalServer, count: number): Promise<unknown> =>
    waitFor(async () => {
      const primaries = await cluster.primaries();
      return primaries.length === count && !primaries.includes(gone);
    }, { what: 'a replica to be promoted', timeoutMs: PROMOTED_WITHIN_MS });
  const elsewhere = async (slot: number): Promise<LocalServer> => {
    const owner = await cluster.primaryOf(slot);
    return oneOf((await cluster.primaries()).filter((node) => node !== owner), random);
  };
  return {
    clusterKill: async () => {
      await Promise.all(cluster.nodes.map((node) => node.kill()));
      await Promise.all(cluster.nodes.map((node) => node.restart()));
      await cluster.whenOk();
    },
    primaryKill: async () => {
      const [primary, { length }] = [await somePrimary(), await cluster.primaries()];
      await primary.kill();
      await promoted(primary, length);
      await primary.restart();
      await cluster.whenOk();
    },
    primaryFreeze: async () => {
      const [primary, { length }] = [await somePrimary(), await cluster.primaries()];
      primary.freeze();
      await promoted(primary, length);
      primary.thaw();
      await cluster.whenOk();
    },
    replicaLag: async () => {
      const replica = await someReplica();
      replica.freeze();
      await lasting(300 + random() * 500);
      replica.thaw();
      await cluster.whenOk();
    },
    failover: async () => {
      await cluster.failover(await someReplica());
      await cluster.whenOk();
    },
    reshard: async () => {
      const all = await slots();
      const moved = Array.from({ length: 3 }, () => oneOf(all, random));
      for (const slot of moved) await cluster.migrate([slot], await elsewhere(slot));
    },
    slotBetweenNodes: async () => {
      const slot = oneOf(await slots(), random);
      const to = await elsewhere(slot);
      await cluster.beginMigration(slot, to);
      await cluster.moveKeys(slot, to, 4);
      await lasting(random() * 300);
      await cluster.moveKeys(slot, to);
      await cluster.finishMigration(slot, to);
    },
    ...clientFaults(cluster.nodes),
  };
}

export function sentinelFaults({ all }: SentinelSite, random: () => number): SiteFaults {
  const someReplica = async (): Promise<LocalServer> => {
    const primary = await all.whoIsPrimary();
    return oneOf(all.servers.filter((server) => server !== primary), random);
  };
  return {
    primaryKill: async () => {
      const primary = await all.whoIsPrimary();
      await primary.kill();
      await all.untilPrimaryIsNot(primary);
      await primary.restart();
      await all.whenOk();
    },
    primaryFreeze: async () => {
      const primary = await all.whoIsPrimary();
      primary.freeze();
      await all.untilPrimaryIsNot(primary);
      primary.thaw();
      await all.whenOk();
    },
    sentinelFreeze: async () => {
      const sentinel = oneOf(all.sentinels, random);
      sentinel.freeze();
      await lasting(500 + random() * 2_000);
      sentinel.thaw();
      await all.whenOk();
    },
    replicaLag: async () => {
      const replica = await someReplica();
      replica.freeze();
      await lasting(300 + random() * 500);
      replica.thaw();
      await all.whenOk();
    },
    failover: async () => {
      await all.failover();
      await all.whenOk();
    },
    ...clientFaults(all.servers),
  };
}

/** The connection of such a command is closed by it, and the server may be away: neither is an error of the suite. */
function clientFaults(servers: readonly { readonly port: number }[]): SiteFaults {
  const everywhere = (...words: [string, ...string[]]) => (): Promise<unknown> =>
    Promise.allSettled(servers.map((server) => onServer(server, (call) => call(...words))));
  return { clientKill: everywhere('CLIENT', 'KILL', 'TYPE', 'normal'), scriptFlush: everywhere('SCRIPT', 'FLUSH') };
}
