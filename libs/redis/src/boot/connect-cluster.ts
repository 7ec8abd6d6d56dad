import { MillraceError } from '@millrace/core';
import { assertAddresses, assertNatMap } from '../connection/redis-address.js';
import type { ClusterTarget, ServerTarget } from '../connection/redis-target.js';
import { maskUrl, partsOfUrl } from '../connection/redis-url.js';
import { readNodesFacts } from '../connection/server-facts.js';
import { ClusterNodes } from '../topology/cluster-nodes.js';
import { ClusterTopology } from '../topology/cluster-topology.js';
import { uncoveredIn } from '../topology/slot-map.js';
import { assertConnectionName, type ConnectionName } from './connect-server.js';
import { assertMaySucceed, BOOT_TIMEOUT_MS } from './until-ready.js';

/** How often, while connecting, it is checked whether the attempts can succeed at all. */
const LOOK_EVERY_MS = 50;

/**
 * Connects to a Redis Cluster: to each node with slots.
 *
 * @throws MillraceError as `connectRedis`
 */
export async function connectCluster({ name = 'millrace', ...target }: ClusterTarget & ConnectionName): Promise<ClusterTopology> {
  assertConnectionName(name);
  assertAddresses(target.cluster.nodes, 'nodes of the Cluster');
  assertNatMap(target.cluster.natMap);
  const nodes = new ClusterNodes({ target, name });
  try {
    nodes.start();
    await untilComplete(nodes);
    const primaries = [...nodes.slots.primaries].map((node) => [node, nodes.at(node, 'control', 'control')] as const);
    return new ClusterTopology(nodes, await readNodesFacts(primaries));
  } catch (error) {
    nodes.close();
    throw error;
  }
}

/**
 * The Cluster that a node belongs to, with the user, the password and the certificates for that node.
 *
 * @throws MillraceError INVALID_OPTIONS: the URL names a database, or a socket
 */
export function clusterBehind({ url, tls }: ServerTarget): ClusterTarget {
  const where = maskUrl(url);
  if (url.startsWith('unix:')) throw invalid(`${where} leads to a node of a Redis Cluster: name its host and port, to which the other nodes belong.`);
  const { host, port, database, username, password } = partsOfUrl(url);
  if (database !== 0) throw invalid(`${where} leads to a Redis Cluster, which has the database 0 alone: leave the number out.`);
  return {
    cluster: { nodes: [{ host, port }] },
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(url.startsWith('rediss:') ? { tls: tls ?? {} } : {}),
  };
}

function invalid(message: string): MillraceError {
  return new MillraceError('INVALID_OPTIONS', message);
}

/** Resolves when each slot has a node, and each node with slots its connections. */
async function untilComplete(nodes: ClusterNodes): Promise<void> {
  const end = performance.now() + BOOT_TIMEOUT_MS;
  while (!(await nodes.when(() => isComplete(nodes), LOOK_EVERY_MS))) {
    for (const { node, error } of nodes.problems()) assertMayComplete(error, node);
    if (performance.now() >= end) throw incomplete(nodes);
  }
}

/** @throws MillraceError REDIS_UNSUPPORTED, REDIS_FAILED, REDIS_UNREACHABLE when waiting helps nobody */
function assertMayComplete(error: Error, node: string): void {
  assertMaySucceed(error, node);
  if (!error.message.includes('cluster support disabled')) return;
  const advice = 'Set REDIS_URL, or the option redis, to use it alone, or name nodes of a Cluster.';
  throw new MillraceError('REDIS_UNSUPPORTED', `The server at ${node} is no node of a Cluster. ${advice}`, { cause: error });
}

function isComplete(nodes: ClusterNodes): boolean {
  return uncoveredIn(nodes.slots) === '' && nodes.areReady;
}

function incomplete(nodes: ClusterNodes): MillraceError {
  const problems = nodes.problems().map(({ node, error }) => `${node}: ${error.message}`);
  const isKnown = nodes.slots.primaries.size > 0;
  const uncovered = isKnown ? uncoveredIn(nodes.slots) : '';
  if (uncovered !== '') problems.push(`no node has the slots ${uncovered}`);
  const advice = isKnown
    ? 'Each node announces its address to the others, and must be reached at it from here: see cluster-announce-ip and cluster-announce-hostname, or ' +
      'name the addresses by which to reach them in natMap. See CLUSTER NODES and CLUSTER INFO.'
    : 'Start the nodes, or set REDIS_CLUSTER_NODES, or the option redis, to where they are.';
  const what = isKnown ? 'The Redis Cluster is not complete' : 'No node of the Redis Cluster answers';
  return new MillraceError('REDIS_UNREACHABLE', `${what} after ${BOOT_TIMEOUT_MS / 1000} s. ${advice}`, { problems, retryable: true });
}
