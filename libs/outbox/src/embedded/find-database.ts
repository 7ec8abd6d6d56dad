import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { parseOptions } from '@millrace/core';
import { IsNotEmpty, IsObject, IsOptional, IsString } from 'class-validator';
import { assertReachable } from '../database/connect-database.js';
import { EmbeddedDatabase } from './embedded-database.js';
import { SharedSession } from './shared-session.js';

/** The default limit of PostgreSQL's own transactions; see the options of connectDatabase. */
const IDLE_IN_TURN_MS = 30_000;

export class FindDatabaseOptions {
  /** Default `process.env`. */
  @IsOptional() @IsObject()
  env?: NodeJS.ProcessEnv = process.env;

  /** A folder for the data of the embedded database, for one process at a time. Default: memory, gone with this process. */
  @IsOptional() @IsString() @IsNotEmpty()
  dataDir?: string;
}

/** A database to connect to by {@link RunningDatabase.url}. */
export interface RunningDatabase {
  /** It holds a password: for connections, not for logs. */
  readonly url: string;
  /** The source of the database, for logs: `'DATABASE_URL'` or `'PGlite'`. */
  readonly source: string;
  /** Stops the embedded database, and cuts its clients; does nothing to a database of `DATABASE_URL`. */
  stop(): Promise<void>;
}

/**
 * The database of `DATABASE_URL` when that is set, else PostgreSQL inside this process (PGlite), which other processes of
 * this machine reach by its URL too. The embedded database runs one transaction at a time, on the thread of this process.
 *
 * @throws MillraceError INVALID_OPTIONS, DATABASE_UNREACHABLE (`DATABASE_URL` is set and nothing answers there: nothing else
 *   is tried), DATABASE_FAILED (the embedded database does not start)
 */
export async function findDatabase(options: FindDatabaseOptions = {}): Promise<RunningDatabase> {
  const { env, dataDir } = parseOptions(FindDatabaseOptions, options, 'findDatabase()');
  const url = env.DATABASE_URL;
  return url ? external(url) : embedded(dataDir);
}

async function external(url: string): Promise<RunningDatabase> {
  await assertReachable({ url });
  return { url, source: 'DATABASE_URL', stop: () => Promise.resolve() };
}

async function embedded(dataDir?: string): Promise<RunningDatabase> {
  const session = await SharedSession.open(dataDir === undefined ? undefined : resolve(dataDir));
  const rules = { password: randomBytes(24).toString('hex'), idleMs: IDLE_IN_TURN_MS };
  const database = new EmbeddedDatabase(session, rules);
  await database.listen();
  return { url: database.url, source: 'PGlite', stop: () => database.stop() };
}
