import type { SqlResult, SqlTransaction } from '@millrace/core';
import { lend } from '../database/lent-handle.js';
import { type CutStatement, cutStatement } from '../database/placeholders.js';
import type { SqlDialect, SqlSource } from '../database/sql-source.js';
import { assertGiven, poolSize, refuseDialect } from './given-object.js';
import { mysqlResult } from './mysql-result.js';
import { connectionsOf, type SourceOptions } from './source-options.js';

/** The parts of a database of Drizzle that are used. */
export interface DrizzleLike<Transaction> {
  transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T>;
}

interface DrizzleTransaction {
  execute(query: never): PromiseLike<unknown>;
}

/** The mark by which Drizzle knows its own classes, whatever copy of it they are from. */
const KIND = Symbol.for('drizzle:entityKind');

/**
 * A database of Drizzle on PostgreSQL (`node-postgres`, `postgres-js`, `pglite`), MySQL or MariaDB (`mysql2`). A handler's
 * transaction is the `tx` of `db.transaction`.
 *
 * @throws MillraceError INVALID_OPTIONS
 */
export function drizzleSource<Transaction extends DrizzleTransaction>(
  db: DrizzleLike<Transaction>,
  options?: SourceOptions,
): SqlSource<Transaction> {
  assertGiven(db, 'drizzleSource', { expected: 'a database of Drizzle: drizzle(pool)', methods: ['transaction', 'execute', 'select'] });
  const dialect = dialectOf(db);
  return {
    dialect,
    connections: connectionsOf(options, 'drizzleSource') ?? poolSize((db as { $client?: unknown }).$client),
    transaction: (work) => db.transaction((transaction) => lend(transaction, work)),
    within: (transaction): SqlTransaction => ({
      query: <Row>(text: string, parameters: readonly unknown[] = []) =>
        run<Row>(transaction, cutStatement(text, parameters, dialect)),
    }),
  };
}

function dialectOf(db: object): SqlDialect {
  const kinds: unknown[] = [];
  for (let type: object | null = db.constructor; type; type = Object.getPrototypeOf(type) as object | null) {
    kinds.push(Reflect.get(type, KIND));
  }
  if (kinds.includes('PgDatabase')) return 'postgres';
  return kinds.includes('MySqlDatabase') ? 'mysql' : refuseDialect('drizzleSource', kinds[0] ?? 'a database of unknown kind');
}

async function run<Row>(transaction: DrizzleTransaction, { pieces, values }: CutStatement): Promise<SqlResult<Row>> {
  const { sql } = await import('drizzle-orm');
  const parameters = values.map((value) => sql.param(value));
  const answer = await transaction.execute(sql(Object.assign([...pieces], { raw: pieces }), ...parameters) as never);
  return resultOf<Row>(answer);
}

/** The drivers' own results: of `pg` and PGlite, of `mysql2`, of `postgres`. */
function resultOf<Row>(answer: unknown): SqlResult<Row> {
  if (!Array.isArray(answer)) {
    const { rows, rowCount, affectedRows } = answer as { rows: Row[]; rowCount?: number | null; affectedRows?: number };
    return { rows, rowCount: rowCount ?? Math.max(affectedRows ?? 0, rows.length) };
  }
  const { count } = answer as { count?: unknown };
  return typeof count === 'number' ? { rows: [...(answer as Row[])], rowCount: count } : mysqlResult(answer[0]);
}
