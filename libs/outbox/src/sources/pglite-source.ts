import type { SqlTransaction } from '@millrace/core';
import type { SqlSource } from '../database/sql-source.js';
import { assertGiven } from './given-object.js';

/** The parts of a PGlite that are used. */
export interface PgliteLike<Transaction> {
  transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T>;
}

interface PgliteTransaction {
  query(text: string, parameters?: unknown[]): Promise<{ rows: unknown[]; affectedRows?: number }>;
}

/**
 * A PGlite of this process. A handler's transaction is a `Transaction` of PGlite; there is one at a time.
 *
 * @throws MillraceError INVALID_OPTIONS
 */
export function pgliteSource<Transaction extends PgliteTransaction>(db: PgliteLike<Transaction>): SqlSource<Transaction> {
  assertGiven(db, 'pgliteSource', { expected: 'a PGlite', methods: ['transaction', 'query', 'exec'] });
  return {
    dialect: 'postgres',
    connections: 1,
    transaction: (work) => db.transaction(work),
    within: (transaction): SqlTransaction => ({
      query: async <Row>(text: string, parameters: readonly unknown[] = []) => {
        const { rows, affectedRows } = await transaction.query(text, [...parameters]);
        // The count of a SELECT is 0 here.
        return { rows: rows as Row[], rowCount: Math.max(affectedRows ?? 0, rows.length) };
      },
    }),
  };
}
