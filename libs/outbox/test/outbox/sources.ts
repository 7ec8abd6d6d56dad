import { connectDatabase, type SqlSource } from '@millrace/outbox';
import type { SqlTransaction } from '@millrace/core';
import { hasMariadb, hasPostgres, startTestMariadb, startTestPostgres, type TestSqlServer } from '@millrace/testing';
import { createPool, type Pool, type PoolConnection } from 'mysql2/promise';

/** A source for tests, and what is below it. */
export interface OpenSource {
  readonly source: SqlSource<SqlTransaction>;
  readonly url: string;
  query<Row = Record<string, unknown>>(text: string, parameters?: readonly unknown[]): Promise<Row[]>;
  close(): Promise<void>;
}

export interface SourceKind {
  readonly kind: 'PostgreSQL' | 'MariaDB';
  readonly start: () => Promise<TestSqlServer>;
  readonly connect: (url: string) => Promise<OpenSource>;
}

/** Those that can be started here. */
export const sourceKinds: SourceKind[] = [
  ...(hasPostgres() ? [{ kind: 'PostgreSQL' as const, start: () => startTestPostgres('fsync=off'), connect: connectPostgres }] : []),
  ...(hasMariadb() ? [{ kind: 'MariaDB' as const, start: () => startTestMariadb(), connect: connectMariadb }] : []),
];

export async function connectPostgres(url: string): Promise<OpenSource> {
  const database = await connectDatabase({ url });
  return {
    source: database,
    url,
    query: async (text, parameters) => (await database.query<never>(text, parameters)).rows,
    close: () => database.close(),
  };
}

export async function connectMariadb(url: string): Promise<OpenSource> {
  const pool = createPool({ uri: url, connectionLimit: 10 });
  const source: SqlSource<SqlTransaction> = {
    dialect: 'mysql',
    transaction: (work) => inTransaction(pool, work),
    within: (transaction) => transaction,
  };
  return {
    source,
    url,
    query: async <Row>(text: string, parameters: readonly unknown[] = []) => (await run(pool, text, parameters)).rows as Row[],
    close: () => pool.end(),
  };
}

async function inTransaction<T>(pool: Pool, work: (transaction: SqlTransaction) => Promise<T>): Promise<T> {
  const connection = await pool.getConnection();
  try {
    await connection.beginTransaction();
    const value = await work({ query: (text, parameters = []) => run(connection, text, parameters) as never });
    await connection.commit();
    connection.release();
    return value;
  } catch (error) {
    connection.destroy();
    throw error;
  }
}

/** `$1` becomes `?`, in the order in which they stand. */
async function run(on: Pool | PoolConnection, text: string, parameters: readonly unknown[]) {
  const values: unknown[] = [];
  const sql = text.replace(/\$(\d+)/g, (_, number: string) => {
    values.push(parameters[Number(number) - 1]);
    return '?';
  });
  const [result] = await on.query(sql, values);
  const rows = Array.isArray(result) ? result : [];
  return { rows, rowCount: Array.isArray(result) ? result.length : result.affectedRows };
}
