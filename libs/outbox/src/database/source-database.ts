import type { SqlResult, SqlTransaction } from '@millrace/core';
import { ownStatement } from './database-errors.js';
import type { SqlDatabase } from './sql-database.js';
import type { SqlDialect, SqlSource } from './sql-source.js';

/** The database that the application's own library reaches, for those who need no more than SQL. */
export class SourceDatabase implements SqlDatabase {
  readonly dialect: SqlDialect;
  readonly connections: number | undefined;
  readonly #source: SqlSource<unknown>;

  private constructor(source: SqlSource<unknown>) {
    this.#source = source;
    this.dialect = source.dialect;
    this.connections = source.connections;
  }

  /** @throws MillraceError DATABASE_UNREACHABLE, DATABASE_FAILED */
  static async open(source: SqlSource<unknown>): Promise<SourceDatabase> {
    const database = new SourceDatabase(source);
    await ownStatement("reach the database by the application's own library", () => database.query('SELECT 1 AS one'));
    return database;
  }

  query<Row>(text: string, parameters?: readonly unknown[]): Promise<SqlResult<Row>> {
    return this.transaction((transaction) => transaction.query<Row>(text, parameters));
  }

  transaction<T>(work: (transaction: SqlTransaction) => Promise<T>): Promise<T> {
    return this.#source.transaction((transaction) => work(this.#source.within(transaction)));
  }

  within(transaction: SqlTransaction): SqlTransaction {
    return transaction;
  }

  /** The application closes what it opened. */
  close(): Promise<void> {
    return Promise.resolve();
  }
}
