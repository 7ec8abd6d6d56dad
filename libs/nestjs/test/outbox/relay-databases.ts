import { connectDatabase, mysqlSource, type SqlSource } from '@millrace/outbox';
import { hasMariadb, hasPostgres, startTestMariadb, startTestPostgres, type TestSqlServer } from '@millrace/testing';
import { createPool } from 'mysql2/promise';

export interface RelayDatabase {
  // The transactions of two libraries: a test only passes them on.
  readonly source: SqlSource<never>;
  query(text: string): Promise<unknown[]>;
  close(): Promise<void>;
}

/** A PostgreSQL, or a MariaDB, by the protocol of the URL. */
export async function openDatabase(url: string, connections = 5): Promise<RelayDatabase> {
  if (url.startsWith('postgres')) {
    const database = await connectDatabase({ url, connections });
    return {
      source: database as unknown as SqlSource<never>,
      query: async (text) => (await database.query(text)).rows,
      close: () => database.close(),
    };
  }
  const pool = createPool({ uri: url, connectionLimit: connections });
  return {
    source: mysqlSource(pool) as SqlSource<never>,
    query: async (text) => (await pool.query(text))[0] as unknown[],
    close: () => pool.end(),
  };
}

/** Those that can be started here. */
export const databaseKinds: { readonly kind: 'PostgreSQL' | 'MariaDB'; readonly start: () => Promise<TestSqlServer> }[] = [
  ...(hasPostgres() ? [{ kind: 'PostgreSQL' as const, start: () => startTestPostgres('fsync=off') }] : []),
  ...(hasMariadb() ? [{ kind: 'MariaDB' as const, start: () => startTestMariadb() }] : []),
];
