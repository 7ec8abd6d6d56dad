import { MillraceError, type SqlTransaction } from '@millrace/core';
import { ownStatement } from '../database/database-errors.js';
import { isAborted } from '../database/driver-errors.js';
import { PgDatabase } from '../database/pg-database.js';
import type { SqlDialect, SqlSource } from '../database/sql-source.js';
import { HandlerTransaction } from './handler-transaction.js';
import type { InboxSql } from './inbox-sql.js';

type Source = SqlSource<unknown>;

/** The database of an inbox: one of ours, or one that the application's own library reaches. */
export class InboxDatabase {
  readonly dialect: SqlDialect;
  /** Whether the application's own library begins and ends the transactions: it is not known then what it takes for a success. */
  readonly isForeign: boolean;
  readonly #database: Source;

  constructor(database: Source) {
    this.#database = database;
    this.isForeign = !(database instanceof PgDatabase);
    this.dialect = database.dialect;
  }

  async transaction<T>(work: (transaction: SqlTransaction) => Promise<T>): Promise<T> {
    const database = this.#database;
    if (database instanceof PgDatabase) return database.transaction(work);
    let isBegun = false;
    const run = (): Promise<T> =>
      database.transaction(async (own) => {
        isBegun = true;
        return inHandle(new HandlerTransaction(database.within(own), { source: database, transaction: own }), work);
      });
    return run().catch((thrown: unknown) => {
      if (isBegun) throw thrown;
      return ownStatement('begin a transaction', () => Promise.reject(thrown as Error));
    });
  }

  /** Runs the work of a handler, and makes sure that what the library will commit is the transaction that the message is in. */
  async guarded<T>(sql: InboxSql, transaction: SqlTransaction, work: (transaction: SqlTransaction) => Promise<T>): Promise<T> {
    if (!this.isForeign) return work(transaction);
    const mark = (transaction as HandlerTransaction).plain;
    await ownStatement('mark a transaction', () => sql.mark(mark));
    const value = await work(transaction);
    await (transaction as HandlerTransaction).end();
    if (!(await isOpen(sql, mark))) throw leftTransaction();
    return value;
  }
}

async function inHandle<T>(transaction: HandlerTransaction, work: (transaction: SqlTransaction) => Promise<T>): Promise<T> {
  try {
    return await work(transaction);
  } finally {
    await transaction.end();
  }
}

async function isOpen(sql: InboxSql, transaction: SqlTransaction): Promise<boolean> {
  try {
    return await sql.isOpen(transaction);
  } catch (cause) {
    if (isAborted(cause)) throw abortedTransaction(cause);
    return ownStatement('see whether a transaction is open', () => Promise.reject(cause as Error));
  }
}

function leftTransaction(): MillraceError {
  return new MillraceError(
    'DATABASE_FAILED',
    'The transaction of the handler was ended before the handler was: by COMMIT or ROLLBACK, by a statement that commits by itself ' +
      'such as CREATE TABLE in MySQL, or by a deadlock whose error the handler did not let out. Statements before that may be ' +
      'committed, or undone. Use savepoints to undo a part, and let errors out of the handler.',
  );
}

function abortedTransaction(cause: unknown): MillraceError {
  return new MillraceError(
    'DATABASE_FAILED',
    'A statement of the handler failed and the handler went on as if it had not. The database rolls everything back: let the ' +
      'error out of the handler, or put a savepoint before the statement.',
    { cause },
  );
}
