import { MillraceError, parseOptions } from '@millrace/core';
import { Client, type ClientConfig, Pool } from 'pg';
import { DatabaseOptions, splitUrl, type TransactionLimits } from './database-options.js';
import { unreachable } from './database-errors.js';
import { PgDatabase } from './pg-database.js';
import type { SqlDatabase } from './sql-database.js';

const FIRST_CONNECT_MS = 10_000;
/** How long a transaction waits for one of the connections to be free. */
const BORROW_MS = 30_000;
const IDLE_CONNECTION_MS = 30_000;
const CLOSE_MS = 5_000;
/** How long we wait beyond the limit of a statement: a server that has not answered by then is not there. */
const ANSWER_GRACE_MS = 15_000;

/**
 * Connects to PostgreSQL, or to the embedded database, and checks that it answers.
 *
 * @throws MillraceError INVALID_OPTIONS
 * @throws MillraceError DATABASE_UNREACHABLE within 10 seconds
 */
export async function connectDatabase(options: DatabaseOptions): Promise<SqlDatabase> {
  const { url, connections } = parseOptions(DatabaseOptions, options, 'The database');
  const { url: connectionString, limits, place } = splitUrl(url);
  const config = clientConfig(connectionString, limits);
  await greet(config, place);
  const pool = new Pool({
    ...config,
    max: connections,
    connectionTimeoutMillis: BORROW_MS,
    idleTimeoutMillis: IDLE_CONNECTION_MS,
  });
  return new PgDatabase({ pool, limits, place, closeMs: CLOSE_MS });
}

/** @throws MillraceError INVALID_OPTIONS, DATABASE_UNREACHABLE */
export async function assertReachable(options: DatabaseOptions): Promise<void> {
  const { url: connectionString, limits, place } = splitUrl(parseOptions(DatabaseOptions, options, 'The database').url);
  await greet(clientConfig(connectionString, limits), place);
}

function clientConfig(connectionString: string, { statementMs }: TransactionLimits): ClientConfig {
  return {
    connectionString,
    fallback_application_name: 'millrace',
    keepAlive: true,
    keepAliveInitialDelayMillis: 5_000,
    ...(statementMs > 0 ? { query_timeout: statementMs + ANSWER_GRACE_MS } : {}),
  };
}

async function greet(config: ClientConfig, place: string): Promise<void> {
  const client = newClient({ ...config, connectionTimeoutMillis: FIRST_CONNECT_MS });
  // The two calls below throw the error; a second error of the same socket must not end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.end();
  } catch (error) {
    client.connection.stream.destroy();
    throw unreachable('The database cannot be reached', place, error);
  }
}

/** The driver reads certificate files and decodes the URL's parts here. */
function newClient(config: ClientConfig): Client {
  try {
    return new Client(config);
  } catch (error) {
    throw new MillraceError('INVALID_OPTIONS', `The URL of the database cannot be used: ${(error as Error).message}.`);
  }
}
