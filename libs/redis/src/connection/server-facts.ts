import { MillraceError } from '@millrace/core';
import { type Capability, readCapabilities } from './capabilities.js';
import { fieldOf } from './info.js';
import type { RedisConnection } from './redis-connection.js';
import { concernAboutCoverage, concernsAbout } from './server-concerns.js';

export interface ServerFacts {
  /** As the server says it: `7.0.15`. Valkey says the Redis version that it is compatible with. Empty when it says none. */
  readonly version: string;
  /** The server by its own name and version: `Redis 7.0.15`, `Valkey 8.1.1`. */
  readonly product: string;
  /** Anything but `noeviction` lets Redis throw messages away; null when the server does not say. */
  readonly evictionPolicy: string | null;
  /** Commands that not every server has, as far as it tells. */
  readonly capabilities: ReadonlySet<Capability>;
  /** How many replicas the server had at boot, in a Cluster the node with the fewest; null when it does not say. */
  readonly replicas: number | null;
  /**
   * Where there are replicas: settings with which more is lost, or stops, than must be; and nodes that were named for a start and
   * help none. A sentence or two for each.
   */
  readonly concerns: readonly string[];
}

const OLDEST = [7, 0] as const;

/** The server is a node of a Redis Cluster, where one that has all keys was expected. */
export class ClusterNodeError extends MillraceError {
  constructor(where: string) {
    super('REDIS_UNSUPPORTED', `The server at ${where} ${CLUSTER}`);
  }
}

/**
 * Asks the server for its version, its role, its policy of eviction, and its newer commands.
 *
 * @param where its address, for the words of the error
 * @throws RedisFailure
 * @throws ClusterNodeError
 * @throws MillraceError REDIS_UNSUPPORTED: it is too old, a Sentinel, or a replica
 */
export async function readServerFacts(connection: RedisConnection, where: string): Promise<ServerFacts> {
  const { info, facts } = await factsOf(connection, where);
  if (fieldOf(info, 'cluster_enabled') === '1') throw new ClusterNodeError(where);
  if (fieldOf(info, 'role') === 'slave') throw replica(where, `${fieldOf(info, 'master_host')}:${fieldOf(info, 'master_port')}`);
  return facts;
}

/** As {@link readServerFacts}, of a primary with replicas. */
export async function readPrimaryFacts(connection: RedisConnection, where: string): Promise<ServerFacts> {
  const facts = await readServerFacts(connection, where);
  return { ...facts, concerns: concernsAbout([{ where, info: String(await connection.call('INFO')) }]) };
}

type NodeToAsk = readonly [where: string, connection: RedisConnection];

/**
 * As {@link readServerFacts}, of all nodes of a Cluster: the oldest version, and the commands that each has.
 *
 * @param nodes each with its address
 */
export async function readNodesFacts(nodes: readonly NodeToAsk[]): Promise<ServerFacts> {
  const answers = await Promise.all(nodes.map(([where, connection]) => factsOf(connection, where)));
  const all = answers.map(({ facts }) => facts);
  const known = answers.map(({ info }, index) => ({ where: nodes[index]![0], info }));
  const oldest = all.reduce((one, other) => (isOlder(other.version, one.version) ? other : one));
  const evictionPolicy = all.find((facts) => facts.evictionPolicy !== 'noeviction')?.evictionPolicy;
  return {
    ...oldest,
    concerns: [...concernsAbout(known), ...(await concernAboutCoverage(nodes[0]![1]))],
    replicas: all.reduce<number | null>((fewest, { replicas }) => fewerOf(fewest, replicas), null),
    evictionPolicy: evictionPolicy === undefined ? 'noeviction' : evictionPolicy,
    capabilities: new Set([...oldest.capabilities].filter((one) => all.every(({ capabilities }) => capabilities.has(one)))),
  };
}

async function factsOf(connection: RedisConnection, where: string): Promise<{ info: string; facts: ServerFacts }> {
  const [info, capabilities] = await Promise.all([connection.call('INFO').then(String), readCapabilities(connection)]);
  const version = fieldOf(info, 'redis_version') ?? '';
  assertSupported(version, where);
  // Valkey has another name for it.
  if ([fieldOf(info, 'redis_mode'), fieldOf(info, 'server_mode')].includes('sentinel')) throw unsupported(where, SENTINEL);
  const count = fieldOf(info, 'connected_slaves');
  const said = { product: productOf(info), evictionPolicy: fieldOf(info, 'maxmemory_policy'), replicas: count === null ? null : Number(count) };
  return { info, facts: { version, ...said, capabilities, concerns: [] } };
}

function fewerOf(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.min(one, other);
}

function isOlder(one: string, other: string): boolean {
  return one.localeCompare(other, 'en', { numeric: true }) < 0;
}

function productOf(info: string): string {
  const valkey = fieldOf(info, 'valkey_version');
  if (valkey !== null) return `Valkey ${valkey}`;
  return `${fieldOf(info, 'server_name') ?? 'Redis'} ${fieldOf(info, 'redis_version')}`;
}

/** @throws MillraceError REDIS_UNSUPPORTED */
export function assertSupported(version: string, where: string): void {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return;
  const said = version === '' ? 'does not say which version it is' : `is Redis ${version}`;
  throw unsupported(where, `${said}; Millrace needs Redis ${OLDEST.join('.')} or newer, or Valkey. Upgrade it, or set REDIS_URL, or the option redis, to a newer one.`);
}

const CLUSTER = 'is a node of a Redis Cluster, which has a part of the keys and refuses the others: a Redis without cluster-enabled is needed here.';

const SENTINEL =
  'is a Sentinel: it watches a Redis, and stores nothing itself. Name the Sentinels and the primary that they watch in REDIS_SENTINELS and ' +
  'REDIS_SENTINEL_PRIMARY, or in the option redis, in place of REDIS_URL.';

function unsupported(where: string, what: string): MillraceError {
  return new MillraceError('REDIS_UNSUPPORTED', `The server at ${where} ${what}`);
}

/** While an address is about to follow a failover it leads to a replica for a moment. */
function replica(where: string, primary: string): MillraceError {
  const advice = 'Set REDIS_URL, or the option redis, to the primary, or to an address that follows it.';
  return new MillraceError('REDIS_UNSUPPORTED', `The server at ${where} is a replica of ${primary}, and takes no writes. ${advice}`, { retryable: true });
}
