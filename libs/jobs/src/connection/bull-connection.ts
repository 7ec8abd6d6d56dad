import { assertName, backoffDelayMs, type CurveBackoff, MillraceError } from '@millrace/core';
import {
  assertAddresses, assertNatMap, assertRedisUrl, type ClusterClient, clusterClient, type ClusterTarget, ClusterTopology,
  hearingOptions, isClusterClient, maskUrl, type RedisTarget, type SentinelTarget, type ServerTarget, shownTarget, tlsOf,
  type Topology,
} from '@millrace/redis';
import type { RedisOptions } from 'bullmq';

/**
 * The connection of BullMQ: the address of Redis, and the behaviour while it is away. For a Cluster it is a client that is
 * connected when it is first used: {@link releaseConnection} ends it.
 */
export type JobConnectionOptions = RedisOptions | ClusterClient;

/** `queue` adds and counts jobs; `worker` fetches and settles them. */
export type JobConnectionRole = 'queue' | 'worker';

const RECONNECT_BACKOFF: CurveBackoff = { kind: 'exponential', delayMs: 100, maxMs: 1_000, jitter: false };

const COMMON: RedisOptions = {
  protocol: 2,
  disableClientInfo: true,
  connectTimeout: 5_000,
  keepAlive: 5_000,
  retryStrategy: (attempt: number) => backoffDelayMs(RECONNECT_BACKOFF, attempt),
};

/**
 * - `queue`: a command fails when its connection breaks or stays silent for 5 seconds; {@link JobQueue} sends it again with
 *   the same job id. The offline queue stays on, because BullMQ's `close()` needs it while Redis is away; the version check
 *   is off, because a connection that breaks during it would leave the queue unusable for ever.
 * - `worker`: BullMQ demands that commands wait for the next connection, or a finished job would run again. The socket's
 *   timeout is longer than the 10 seconds that BullMQ blocks at most, and notices a network that went silent.
 */
const PROFILES: Record<JobConnectionRole, RedisOptions> = {
  queue: {
    ...COMMON,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    socketTimeout: 5_000,
    skipVersionCheck: true,
  },
  worker: { ...COMMON, disconnectTimeout: 250, maxRetriesPerRequest: null, socketTimeout: 12_000 },
};

/** BullMQ demands that commands wait for a connection; the client of a Cluster sends them again elsewhere. */
const CLUSTER_PROFILES = {
  queue: { ...COMMON, disconnectTimeout: 250, maxRetriesPerRequest: null, socketTimeout: 5_000 },
  worker: { ...COMMON, disconnectTimeout: 250, maxRetriesPerRequest: null, socketTimeout: 12_000 },
};

/**
 * Without `failoverDetector`: BullMQ ends its connections by QUIT, and ioredis leaves those to the Sentinels open then, so that
 * the process would not end. A primary that stands still is noticed by the silence of the socket.
 */
const BEHIND_SENTINELS = { sentinelCommandTimeout: 500 };

/**
 * The connection options that BullMQ needs, for the Redis that the rest of the platform uses. All that it makes of them, copies
 * for workers included, hears every error of its sockets.
 *
 * @throws MillraceError INVALID_OPTIONS; the message never holds the password
 */
export function bullConnection(target: ServerTarget | SentinelTarget, role: JobConnectionRole): RedisOptions;
export function bullConnection(target: RedisTarget, role: JobConnectionRole): JobConnectionOptions;
export function bullConnection(target: RedisTarget, role: JobConnectionRole): JobConnectionOptions {
  if ('cluster' in target) {
    assertPlaces(target.cluster, 'nodes of the Cluster');
    return clusterClient(target, CLUSTER_PROFILES[role]);
  }
  if ('sentinel' in target) {
    assertPlaces(target.sentinel, 'Sentinels');
    return hearingOptions({ ...sentinelsOf(target), ...PROFILES[role], ...BEHIND_SENTINELS });
  }
  assertRedisUrl(target.url);
  const address = target.url.startsWith('unix://') ? { path: target.url.slice('unix://'.length) } : addressOf(target);
  return hearingOptions({ ...address, ...PROFILES[role] });
}

function assertPlaces({ nodes, natMap }: Pick<ClusterTarget['cluster'], 'nodes' | 'natMap'>, what: string): void {
  assertAddresses(nodes, what);
  assertNatMap(natMap);
}

function sentinelsOf({ sentinel, database = 0, ...login }: SentinelTarget): RedisOptions {
  const { nodes, primary, natMap } = sentinel;
  return {
    sentinels: nodes.map(({ host, port }) => ({ host, port })), name: primary, db: database,
    ...(sentinel.username === undefined ? {} : { sentinelUsername: sentinel.username }),
    ...(sentinel.password === undefined ? {} : { sentinelPassword: sentinel.password }),
    ...(sentinel.tls ? { sentinelTLS: sentinel.tls } : {}),
    // A new object each time: ioredis adds the certificates to it.
    ...(natMap ? { natMap: (name: string) => (natMap[name] ? { ...natMap[name] } : null) } : {}),
    ...(login.username === undefined ? {} : { username: login.username }),
    ...(login.password === undefined ? {} : { password: login.password }),
    ...(login.tls ? { enableTLSForSentinelMode: true, tls: login.tls } : {}),
  };
}

/** Ends the client of a Cluster; does nothing to other connections, which BullMQ ends itself. */
export function releaseConnection(connection: unknown): void {
  if (isClusterClient(connection)) connection.disconnect();
}

/**
 * @param target the Redis as it was named
 * @throws MillraceError INVALID_OPTIONS: the URL of one node of a Cluster
 */
export function assertQueuesWork(topology: Topology, target: RedisTarget): void {
  if (!(topology instanceof ClusterTopology) || 'cluster' in target) return;
  const advice = 'Name its nodes in REDIS_CLUSTER_NODES, or as { cluster: { nodes } } in the option redis.';
  throw new MillraceError('INVALID_OPTIONS', `Queues cannot find the nodes of a Redis Cluster from ${shownTarget(target)} alone. ${advice}`);
}

/**
 * The prefix of BullMQ's keys: a hash tag, so that all keys of the queues share one slot of a Redis Cluster. Takes its own
 * result, too.
 *
 * @returns `{millrace}` for `millrace`
 * @throws MillraceError INVALID_NAME
 */
export function bullPrefix(prefix: string): string {
  const name = typeof prefix === 'string' ? prefix.replace(/^\{(.*)\}$/, '$1') : prefix;
  assertName('key prefix', name);
  return `{${name}}`;
}

function addressOf(target: ServerTarget): RedisOptions {
  const text = target.url;
  const url = new URL(text);
  if (url.search !== '') throw refused(text, 'parameters after ? are not known');
  return {
    host: hostOf(url),
    port: url.port === '' ? 6379 : Number(url.port),
    db: databaseOf(url, text),
    ...(url.username === '' ? {} : { username: decoded(url.username, text) }),
    ...(url.password === '' ? {} : { password: decoded(url.password, text) }),
    ...tlsOf(target),
  };
}

function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, '$1') || '127.0.0.1';
}

function databaseOf(url: URL, text: string): number {
  const match = /^\/?(\d{0,5})$/.exec(url.pathname);
  if (!match) throw refused(text, 'the path must be the number of a database, such as /0');
  return Number(match[1]);
}

function decoded(part: string, text: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    // The cause would quote the password.
    throw refused(text, 'the user or the password is not percent-encoded: write %25 for %');
  }
}

function refused(text: string, why: string): MillraceError {
  return new MillraceError('INVALID_OPTIONS', `${maskUrl(text)} cannot be used for jobs: ${why}.`);
}
