import type { SqlTransaction } from '@millrace/core';
import type { SqlSource } from './sql-source.js';

/** The user's database, for those who need no more than SQL: a source whose transactions are those of Millrace. */
export interface SqlDatabase extends SqlSource<SqlTransaction> {
  /**
   * One statement in a transaction of its own. Its SQL errors are the driver's, unchanged.
   *
   * @throws MillraceError DATABASE_UNREACHABLE, BACK_PRESSURE (every connection stayed busy), INVALID_INPUT, CLOSED
   */
  readonly query: SqlTransaction['query'];

  /**
   * Runs `work` inside a transaction: commits when it returns, rolls back and rethrows when it throws. The transaction is of
   * no use after that. A rejection with DATABASE_UNREACHABLE may come from a commit that took effect.
   *
   * @throws MillraceError DATABASE_UNREACHABLE, BACK_PRESSURE, CLOSED
   * @throws MillraceError DATABASE_FAILED a statement failed and `work` went on as if it had not, or `work` ended the
   *   transaction by SQL of its own
   */
  transaction<T>(work: (transaction: SqlTransaction) => Promise<T>): Promise<T>;

  /** Waits up to 5 seconds for the transactions in flight, then cuts their connections. May be called again. */
  close(): Promise<void>;
}
