import type { RedisTarget } from '../connection/redis-target.js';
import { ClusterNodeError } from '../connection/server-facts.js';
import type { Topology } from '../topology/topology.js';
import { connectCluster, clusterBehind } from './connect-cluster.js';
import { connectPrimary } from './connect-primary.js';
import { type ConnectionName, connectServer } from './connect-server.js';

export type RedisConnectOptions = RedisTarget & ConnectionName;

/**
 * Connects to Redis, whichever way it is set up, and checks that it can be used. The URL of one node of a Cluster leads to the
 * whole Cluster.
 *
 * @throws MillraceError INVALID_OPTIONS: the URL, its database, the addresses, or the name
 * @throws MillraceError REDIS_UNREACHABLE nothing answers within 5 seconds, or what answers is no Redis
 * @throws MillraceError REDIS_FAILED Redis refuses the user: the password or the permissions
 * @throws MillraceError REDIS_UNSUPPORTED below Redis 7.0, a Sentinel in place of what it watches, or a replica
 */
export async function connectRedis(options: RedisConnectOptions): Promise<Topology> {
  if ('cluster' in options) return connectCluster(options);
  if ('sentinel' in options) return connectPrimary(options);
  try {
    return await connectServer(options);
  } catch (error) {
    if (!(error instanceof ClusterNodeError)) throw error;
    const { name } = options;
    return connectCluster({ ...clusterBehind(options), ...(name === undefined ? {} : { name }) });
  }
}
