import { MillraceError, quote } from '@millrace/core';
import { type MakeConnection, toServer } from '../connection/open-connection.js';
import type { RedisConnection } from '../connection/redis-connection.js';
import { redisFailure } from '../connection/redis-failure.js';
import type { ServerTarget } from '../connection/redis-target.js';
import { assertRedisUrl, maskUrl, partsOfUrl } from '../connection/redis-url.js';
import { readServerFacts, type ServerFacts } from '../connection/server-facts.js';
import { type OpenConnection, StandaloneTopology } from '../topology/standalone-topology.js';
import { type BootPlace, untilReady } from './until-ready.js';

/** The name of connections, beside their target. */
export interface ConnectionName {
  /** Shown by `CLIENT LIST`: 1 to 100 visible ASCII characters. Default `millrace`. */
  readonly name?: string;
}

/**
 * Connects to one Redis and checks that it can be used.
 *
 * @throws MillraceError INVALID_OPTIONS: the URL, its database, or the name
 * @throws MillraceError REDIS_UNREACHABLE nothing answers within 5 seconds, or the server is no Redis
 * @throws MillraceError REDIS_FAILED Redis refuses the user: the password or the permissions
 * @throws MillraceError REDIS_UNSUPPORTED below Redis 7.0, a node of a Cluster, a Sentinel, or a replica
 */
export async function connectServer({ name = 'millrace', ...target }: ServerTarget & ConnectionName): Promise<StandaloneTopology> {
  assertRedisUrl(target.url);
  assertConnectionName(name);
  const where = maskUrl(target.url);
  return standalone(toServer(target), {
    name,
    where,
    isEncrypted: target.url.startsWith('rediss:'),
    factsOf: readServerFacts,
    check: ({ control }) => assertDatabase(control, databaseOf(target.url), where),
  });
}

export interface StandaloneBoot extends BootPlace {
  readonly name: string;
  /** Checks what is special about this target. */
  readonly check: (topology: StandaloneTopology) => Promise<void>;
  readonly factsOf: (connection: RedisConnection, where: string) => Promise<ServerFacts>;
  /** Called when its connections are closed. */
  readonly release?: () => void;
}

/** Opens the connections to one server, whichever way they find it. */
export async function standalone(make: MakeConnection, boot: StandaloneBoot): Promise<StandaloneTopology> {
  const { name, where, factsOf, check, release = () => undefined } = boot;
  const open: OpenConnection = (purpose, profile) => {
    const connection = make(`${name}:${purpose}`, profile);
    connection.connect();
    return connection;
  };
  const opened = { publish: open('publish', 'publish'), control: open('control', 'control') };
  try {
    await Promise.all([untilReady(opened.control, boot), untilReady(opened.publish, boot)]);
    // Before the database: a Sentinel and a Cluster have none, and the error is to say that it is one of them.
    const topology = new StandaloneTopology(open, await factsOf(opened.control, where), { ...opened, release });
    await check(topology);
    return topology;
  } catch (error) {
    opened.control.close();
    opened.publish.close();
    release();
    throw error;
  }
}

/** @throws MillraceError INVALID_OPTIONS */
export function assertConnectionName(name: unknown): void {
  if (typeof name === 'string' && /^[!-~]{1,100}$/.test(name)) return;
  throw new MillraceError('INVALID_OPTIONS', `${quote(name)} cannot be the name of connections: use 1 to 100 visible ASCII characters.`);
}

/**
 * A connection whose database is not there would go on with number 0.
 *
 * @throws MillraceError INVALID_OPTIONS
 */
export async function assertDatabase(connection: RedisConnection, database: number, where: string): Promise<void> {
  if (database === 0) return;
  try {
    await connection.call('SELECT', database);
  } catch (thrown) {
    const cause = redisFailure(thrown, 'SELECT');
    if (cause.kind !== 'unknown') throw cause;
    throw new MillraceError('INVALID_OPTIONS', `Redis at ${where} has no database ${database}. Use another number, or none.`, { cause });
  }
}

function databaseOf(url: string): number {
  return url.startsWith('unix:') ? 0 : partsOfUrl(url).database;
}
