import { Cluster, type RedisOptions } from 'ioredis';
import type { ClusterTarget } from './redis-target.js';

/** How often, and for how long at the most, a node is asked who has which slot. */
const SLOTS_MS = 1_000;

/** ioredis's own client of a Redis Cluster, which is connected when it is first used: whoever asks for it disconnects it. */
export type ClusterClient = Cluster;

/**
 * For libraries that bring their own clients, as BullMQ does. It sends commands again by itself, also some that may have been
 * executed: nothing else of Millrace goes over it.
 *
 * @param redisOptions of its connections to nodes
 */
export function clusterClient({ cluster, username, password, tls }: ClusterTarget, redisOptions: RedisOptions): ClusterClient {
  const user = username === undefined ? {} : { username };
  const login = { ...user, ...(password === undefined ? {} : { password }), ...(tls ? { tls } : {}) };
  return new Cluster(cluster.nodes.map(({ host, port }) => ({ host, port })), {
    lazyConnect: true,
    slotsRefreshInterval: SLOTS_MS,
    slotsRefreshTimeout: SLOTS_MS,
    ...(cluster.natMap ? { natMap: { ...cluster.natMap } } : {}),
    redisOptions: { ...redisOptions, ...login },
  });
}

export function isClusterClient(value: unknown): value is ClusterClient {
  return value instanceof Cluster;
}
