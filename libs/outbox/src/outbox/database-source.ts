import type { SqlTransaction } from '@millrace/core';
import type { SqlDatabase } from '../database/sql-database.js';
import type { SqlSource } from '../database/sql-source.js';

/** The database of `connectDatabase()` as a source: its transactions are those of Millrace itself. */
export function databaseSource(database: Pick<SqlDatabase, 'connections' | 'transaction'>): SqlSource<SqlTransaction> {
  return {
    dialect: 'postgres',
    connections: database.connections,
    transaction: (work) => database.transaction(work),
    within: (transaction) => transaction,
  };
}
