import type { SqlResult, SqlTransaction } from '@millrace/core';
import { cutStatement, withQuestionMarks } from '../database/placeholders.js';
import type { SqlDialect, SqlSource } from '../database/sql-source.js';
import { assertGiven, refuseDialect } from './given-object.js';
import { connectionsOf, type SourceOptions } from './source-options.js';

/** The parts of a Kysely that are used. */
export interface KyselyLike<Transaction> {
  transaction(): { execute<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> };
}

interface KyselyTransaction {
  withoutPlugins(): { executeQuery(query: never): Promise<{ rows: unknown[]; numAffectedRows?: bigint }> };
}

interface Adapter {
  readonly supportsReturning: boolean;
  readonly supportsTransactionalDdl: boolean;
}

/**
 * A Kysely on PostgreSQL, PGlite, MySQL or MariaDB. A handler's transaction is a `Transaction<DB>`. Kysely does not tell the
 * size of its pool: name it in `options`.
 *
 * @throws MillraceError INVALID_OPTIONS
 */
export function kyselySource<Transaction extends KyselyTransaction>(
  db: KyselyLike<Transaction>,
  options?: SourceOptions,
): SqlSource<Transaction> {
  assertGiven(db, 'kyselySource', { expected: 'a Kysely', methods: ['transaction', 'getExecutor', 'selectFrom'] });
  const dialect = dialectOf(db as unknown as { getExecutor(): { adapter: Adapter } });
  return {
    dialect,
    connections: connectionsOf(options, 'kyselySource'),
    transaction: (work) => db.transaction().execute(work),
    within: (transaction): SqlTransaction => ({
      query: <Row>(text: string, parameters: readonly unknown[] = []) => {
        if (dialect === 'postgres') return run<Row>(transaction, text, parameters);
        const cut = cutStatement(text, parameters, dialect);
        return run<Row>(transaction, withQuestionMarks(cut), cut.values);
      },
    }),
  };
}

/** The adapters of other databases have one of these abilities, but not the other. */
function dialectOf(db: { getExecutor(): { adapter: Adapter } }): SqlDialect {
  const { adapter } = db.getExecutor();
  if (adapter.supportsReturning !== adapter.supportsTransactionalDdl) refuseDialect('kyselySource', adapter.constructor.name);
  return adapter.supportsReturning ? 'postgres' : 'mysql';
}

/** Plugins would rename the columns. */
async function run<Row>(transaction: KyselyTransaction, text: string, parameters: readonly unknown[]): Promise<SqlResult<Row>> {
  const { CompiledQuery } = await import('kysely');
  const query = CompiledQuery.raw(text, [...parameters]);
  const { rows, numAffectedRows } = await transaction.withoutPlugins().executeQuery(query as never);
  return { rows: rows as Row[], rowCount: numAffectedRows === undefined ? rows.length : Number(numAffectedRows) };
}
