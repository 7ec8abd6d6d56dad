import { setTimeout } from 'node:timers/promises';
import { asError, MillraceError } from '@millrace/core';
import { assertAddresses, assertNatMap } from '../connection/redis-address.js';
import type { ClusterTarget, ServerTarget } from '../connection/redis-target.js';
import { maskUrl, partsOfUrl } from '../connection/redis-url.js';
import { readNodesFacts } from '../connection/server-facts.js';
import { ClusterNodes } from '../topology/cluster-nodes.js';
import { ClusterTopology } from '../topology/cluster-topology.js';
import { areOfOneCluster, type SlotMap, uncoveredIn } from '../topology/slot-map.js';
import { assertConnectionName, type ConnectionName } from './connect-server.js';
import { incomplete } from './incomplete-cluster.js';
import { BOOT_TIMEOUT_MS, hopelessness } from './until-ready.js';

/** How often, while connecting, it is checked whether the attempts can succeed at all. */
const LOOK_EVERY_MS = 50;
/** A named node without slots is waited for no longer than this when the Cluster is complete. */
const LAST_NODES_MS = 500;

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
    await untilComplete(nodes, target.tls !== undefined);
    const concerns = await Promise.all(nodes.named.map((node) => concernAboutNamed(node, nodes)));
    const primaries = [...nodes.slots.primaries].map((node) => [node, nodes.at(node, 'control', 'control')] as const);
    const facts = await readNodesFacts(primaries);
    return new ClusterTopology(nodes, { ...facts, concerns: [...facts.concerns, ...concerns.flat()] });
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

/** Resolves when each slot has a node that serves it, and each of these nodes its connections. */
async function untilComplete(nodes: ClusterNodes, isEncrypted: boolean): Promise<void> {
  const end = performance.now() + BOOT_TIMEOUT_MS;
  for (;;) {
    const isWhole = await nodes.when(() => isComplete(nodes), LOOK_EVERY_MS);
    const down = isWhole ? await nodes.down() : [];
    if (isWhole && down.length === 0) return;
    const isLate = performance.now() >= end;
    const lost = reasonToGiveUp(nodes, isLate);
    if (lost) throw lost;
    if (isLate) throw incomplete(nodes, { down, isEncrypted });
    if (isWhole) await setTimeout(LOOK_EVERY_MS);
  }
}

function isComplete(nodes: ClusterNodes): boolean {
  return uncoveredIn(nodes.slots) === '' && nodes.unready.length === 0;
}

/**
 * Each node with slots is needed. As long as none is known, one that was named and can help is enough, and is waited for.
 *
 * @returns null when waiting may help
 */
function reasonToGiveUp(nodes: ClusterNodes, isLate: boolean): MillraceError | null {
  const { primaries } = nodes.slots;
  const hopeless = new Map(nodes.problems().flatMap(({ node, error }) => {
    const reason = hopelessnessOf(error, node);
    return reason ? [[node, reason] as const] : [];
  }));
  const isKnown = primaries.size > 0;
  const needed = isKnown ? [...primaries] : nodes.named;
  const [lost] = needed.filter((node) => hopeless.has(node));
  const mayGiveUp = isKnown || isLate || nodes.named.every((node) => hopeless.has(node));
  return lost !== undefined && mayGiveUp ? hopeless.get(lost)! : null;
}

/** @returns REDIS_UNSUPPORTED, REDIS_FAILED, REDIS_UNREACHABLE, or null when waiting may help */
function hopelessnessOf(error: Error, node: string): MillraceError | null {
  if (!error.message.includes('cluster support disabled')) return hopelessness(error, node);
  const advice = 'Set REDIS_URL, or the option redis, to use it alone, or name nodes of a Cluster.';
  return new MillraceError('REDIS_UNSUPPORTED', `The server at ${node} is no node of a Cluster. ${advice}`, { cause: error });
}

/**
 * A node that was named may be away, or was taken out of the Cluster. One that is of another Cluster, or can be of none, was not
 * meant: who begins with it would have other data.
 *
 * @returns a concern about it, or none
 * @throws MillraceError INVALID_OPTIONS, REDIS_UNSUPPORTED
 */
async function concernAboutNamed(node: string, nodes: ClusterNodes): Promise<string[]> {
  if (nodes.has(node)) return [];
  const told = await toldBy(node, nodes);
  if (told instanceof Error) {
    const reason = hopelessnessOf(told, node);
    if (reason?.code === 'REDIS_UNSUPPORTED') throw reason;
    return [`The node ${node} is named, and helps no start: ${told.message.replace(/\.$/, '')}. Name nodes that answer and have slots, or follow such.`];
  }
  if (areOfOneCluster(told, nodes.slots)) return [];
  const [other] = nodes.slots.primaries;
  const advice = 'Name nodes of one Cluster alone, in REDIS_CLUSTER_NODES or in the option redis.';
  throw invalid(`The nodes ${node} and ${other} belong to different Redis Clusters. ${advice}`);
}

async function toldBy(node: string, nodes: ClusterNodes): Promise<SlotMap | Error> {
  const connection = nodes.at(node, 'control', 'control');
  await nodes.when(() => connection.isReady || connection.lastError !== null, LAST_NODES_MS);
  if (!connection.isReady) return connection.lastError ?? new Error('it does not answer');
  return nodes.slotsBy(node).catch(asError);
}
