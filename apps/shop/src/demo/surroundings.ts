import { randomBytes } from 'node:crypto';
import { connectDatabase, findDatabase, type RunningDatabase, type SqlDatabase } from '@millrace/outbox';
import { createTables } from '../database/tables.js';
import type { Cleanup } from './cleanup.js';
import { assertNotGiven, openShopRedis, type ShopRedis } from './shop-redis.js';
import type { Terminal } from './terminal.js';
import type { TopologyName } from './topology.js';

/** Redis and the database of one run. */
export interface Surroundings {
  readonly redis: ShopRedis;
  /** The URL of the database, so that tables without a schema are those of this run. */
  readonly databaseUrl: string;
  /** Begins every key of this run. */
  readonly prefix: string;
  readonly database: SqlDatabase;
}

export interface FindSurroundings {
  /** REDIS_URL, DATABASE_URL and PATH are read from it. Default `process.env`. */
  readonly env?: NodeJS.ProcessEnv;
  /** Default `standalone`. */
  readonly topology?: TopologyName;
  readonly cleanup: Cleanup;
  readonly terminal: Terminal;
}

const STARTING: Readonly<Record<TopologyName, string>> = {
  standalone: 'starting Redis',
  cluster: 'starting a Redis Cluster: this takes some seconds',
  sentinel: 'starting Redis and its Sentinels: this takes some seconds',
};

/**
 * Finds or starts the servers of the shop and makes its tables. Each run has names of its own, so that several can share a Redis
 * or a database; `cleanup` removes everything that was written under them.
 *
 * @throws MillraceError REDIS_NOT_FOUND, REDIS_FAILED, REDIS_UNREACHABLE, REDIS_UNSUPPORTED, DATABASE_UNREACHABLE,
 *   INVALID_OPTIONS
 */
export async function findSurroundings(options: FindSurroundings): Promise<Surroundings> {
  const { env = process.env, cleanup, terminal } = options;
  const name = `shop_${randomBytes(6).toString('hex')}`;
  const redis = await openRedis(options, name);
  terminal.say(env['DATABASE_URL'] ? 'connecting to the database of DATABASE_URL' : 'starting the embedded database: this takes some seconds');
  const foundDatabase = await findDatabase({ env });
  cleanup.add('stop the database', () => foundDatabase.stop());
  terminal.say(`redis: ${redis.source}; database: ${foundDatabase.source}`);
  const databaseUrl = await ownSchema(foundDatabase, name, cleanup);
  const database = await connectDatabase({ url: databaseUrl, connections: 2 });
  cleanup.add('close the connection to the database', () => database.close());
  await createTables(database);
  return { redis, databaseUrl, prefix: name, database };
}

async function openRedis(options: FindSurroundings, prefix: string): Promise<ShopRedis> {
  const { env = process.env, topology = 'standalone', cleanup, terminal } = options;
  assertNotGiven(topology, env);
  terminal.say(env['REDIS_URL'] ? 'connecting to the Redis of REDIS_URL' : STARTING[topology]);
  const redis = await openShopRedis(topology, env);
  cleanup.add('stop Redis', () => redis.stop());
  const { removeKeys } = redis;
  if (removeKeys) cleanup.add(`remove the keys of ${prefix} from Redis`, () => removeKeys(prefix));
  return redis;
}

/** The embedded database belongs to this run alone, and all who connect to it share one session: it needs no schema. */
async function ownSchema({ url, source }: RunningDatabase, schema: string, cleanup: Cleanup): Promise<string> {
  if (source !== 'DATABASE_URL') return url;
  await once(url, `CREATE SCHEMA ${schema}`);
  cleanup.add(`drop the schema ${schema}`, () => once(url, `DROP SCHEMA ${schema} CASCADE`));
  const own = new URL(url);
  own.searchParams.set('options', `${own.searchParams.get('options') ?? ''} -c search_path=${schema}`.trim());
  return own.href;
}

async function once(url: string, statement: string): Promise<void> {
  const database = await connectDatabase({ url, connections: 1 });
  try {
    await database.query(statement);
  } finally {
    await database.close();
  }
}
