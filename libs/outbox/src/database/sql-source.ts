import type { SqlTransaction } from '@millrace/core';

/** The SQL that a database speaks: `postgres` for PostgreSQL and PGlite, `mysql` for MySQL and MariaDB. */
export type SqlDialect = 'postgres' | 'mysql';

/**
 * The user's database as the user's own library reaches it.
 *
 * @typeParam Transaction an open transaction in that library's own type, as handlers get it
 */
export interface SqlSource<Transaction> {
  readonly dialect: SqlDialect;
  /** The most transactions that it has at once; undefined when that is not known here. */
  readonly connections?: number | undefined;

  /** Runs `work` inside a transaction of the library: commits when it returns, rolls back and rethrows when it throws. */
  transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T>;

  /** Statements inside a transaction that the library has opened, with `$1`-style parameters in every dialect. */
  within(transaction: Transaction): SqlTransaction;
}
