import { MillraceError } from '@millrace/core';
import type { MillraceOptions } from '@millrace/nestjs';
import { findRedis, LocalCluster, type LocalProcess, LocalSentinels, serverBinaries } from '@millrace/redis';
import { removeKeys } from './remove-keys.js';
import type { TopologyName } from './topology.js';

/** The Redis of one run. */
export interface ShopRedis {
  /** Where it comes from. */
  readonly source: string;
  /** Its address as the option of a process of the shop, and as the variables of one. */
  readonly option: NonNullable<MillraceOptions['redis']>;
  readonly variables: Readonly<Record<string, string>>;
  /** Ends the servers that were started. */
  stop(): Promise<void>;
  /** Removes the keys of a run; null for servers that are gone with the run. */
  readonly removeKeys: ((prefix: string) => Promise<void>) | null;
}

/** The settings that each process of the shop would warn of otherwise. */
const DURABLE = { appendonly: 'everysec', extra: ['--min-replicas-to-write', '1'] } as const;

/**
 * Finds or starts the Redis of a run: one server, or servers of its own.
 *
 * @param env REDIS_URL and PATH are read from it
 * @throws MillraceError REDIS_NOT_FOUND, REDIS_FAILED, REDIS_UNREACHABLE, REDIS_UNSUPPORTED, INVALID_OPTIONS
 */
export function openShopRedis(topology: TopologyName, env: NodeJS.ProcessEnv): Promise<ShopRedis> {
  if (topology === 'standalone') return oneServer(env);
  return topology === 'cluster' ? cluster(env) : sentinels(env);
}

/** @throws MillraceError INVALID_OPTIONS when REDIS_URL names a server, and the run would start others */
export function assertNotGiven(topology: TopologyName, env: NodeJS.ProcessEnv): void {
  if (topology === 'standalone' || !env['REDIS_URL']?.trim()) return;
  const message = `--topology ${topology} starts servers of its own, but REDIS_URL names one: unset REDIS_URL, or leave --topology out.`;
  throw new MillraceError('INVALID_OPTIONS', message);
}

async function oneServer(env: NodeJS.ProcessEnv): Promise<ShopRedis> {
  const found = await findRedis({ env });
  const { url, source } = found;
  return {
    source,
    option: url,
    variables: { REDIS_URL: url },
    stop: () => found.stop(),
    removeKeys: source === 'REDIS_URL' ? (prefix) => removeKeys(url, prefix) : null,
  };
}

async function cluster(env: NodeJS.ProcessEnv): Promise<ShopRedis> {
  const binary = await binaryFor('cluster', env);
  const servers = await LocalCluster.start({ ...DURABLE, binary, env });
  // All of them: queues are given their nodes by name.
  const nodes = servers.nodes.map(addressOf);
  return {
    source: `a Cluster of ${nodes.length} nodes, ${binary}`,
    option: { cluster: { nodes } },
    variables: { REDIS_CLUSTER_NODES: nodes.join() },
    stop: () => servers.stop(),
    removeKeys: null,
  };
}

async function sentinels(env: NodeJS.ProcessEnv): Promise<ShopRedis> {
  const binary = await binaryFor('sentinel', env);
  const all = await LocalSentinels.start({ ...DURABLE, binary, env });
  const [nodes, { primary }] = [all.sentinels.map(addressOf), all];
  return {
    source: `a primary and a replica behind ${nodes.length} Sentinels, ${binary}`,
    option: { sentinel: { nodes, primary } },
    variables: { REDIS_SENTINELS: nodes.join(), REDIS_SENTINEL_PRIMARY: primary },
    stop: () => all.stop(),
    removeKeys: null,
  };
}

async function binaryFor(topology: TopologyName, env: NodeJS.ProcessEnv): Promise<string> {
  const [binary] = process.platform === 'win32' ? [] : await serverBinaries(env);
  if (binary !== undefined) return binary;
  const message = `--topology ${topology} starts several servers, and there is no redis-server or valkey-server on the PATH: install one, or leave --topology out.`;
  throw new MillraceError('REDIS_NOT_FOUND', message);
}

function addressOf({ port }: LocalProcess): string {
  return `127.0.0.1:${port}`;
}
