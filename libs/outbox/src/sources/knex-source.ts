import type { SqlResult, SqlTransaction } from '@millrace/core';
import { cutStatement, withQuestionMarks } from '../database/placeholders.js';
import type { SqlDialect, SqlSource } from '../database/sql-source.js';
import { assertGiven, refuseDialect } from './given-object.js';
import { mysqlResult } from './mysql-result.js';

/** The parts of a Knex that are used. */
export interface KnexLike<Transaction> {
  transaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T>;
}

interface KnexTransaction {
  raw(text: string, bindings: never): PromiseLike<unknown>;
}

interface KnexClient {
  readonly dialect?: unknown;
  readonly pool?: { readonly max?: unknown };
}

const DIALECTS: ReadonlyMap<unknown, SqlDialect> = new Map([['postgresql', 'postgres'], ['mysql', 'mysql']]);

/**
 * A Knex with the client `pg` or `mysql2`. A handler's transaction is a `Knex.Transaction`.
 *
 * @throws MillraceError INVALID_OPTIONS
 */
export function knexSource<Transaction extends KnexTransaction>(knex: KnexLike<Transaction>): SqlSource<Transaction> {
  assertGiven(knex, 'knexSource', { expected: 'a Knex: knex({ client, connection })', methods: ['transaction', 'raw'] });
  const { client } = knex as unknown as { client?: KnexClient };
  const dialect = DIALECTS.get(client?.dialect) ?? refuseDialect('knexSource', client?.dialect);
  const most = client?.pool?.max;
  return {
    dialect,
    connections: typeof most === 'number' ? most : undefined,
    transaction: (work) => knex.transaction(work),
    within: (transaction): SqlTransaction => ({
      query: <Row>(text: string, parameters: readonly unknown[] = []) => run<Row>(transaction, { text, parameters, dialect }),
    }),
  };
}

interface Raw {
  readonly text: string;
  readonly parameters: readonly unknown[];
  readonly dialect: SqlDialect;
}

async function run<Row>(transaction: KnexTransaction, { text, parameters, dialect }: Raw): Promise<SqlResult<Row>> {
  const cut = cutStatement(text, parameters, dialect);
  if (dialect === 'mysql') {
    const [result] = (await transaction.raw(withQuestionMarks(cut), cut.values as never)) as [unknown];
    return mysqlResult(result);
  }
  // In PostgreSQL a question mark is an operator of its own, which Knex takes when it is escaped.
  const escaped = cut.pieces.map((piece) => piece.replaceAll('?', '\\?')).join('?');
  const { rows, rowCount } = (await transaction.raw(escaped, cut.values as never)) as { rows: Row[]; rowCount: number | null };
  return { rows, rowCount: rowCount ?? 0 };
}
