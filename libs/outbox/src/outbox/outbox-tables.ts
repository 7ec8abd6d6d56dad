import type { SqlTransaction } from '@millrace/core';
import { noTables, ownStatement } from '../database/database-errors.js';
import { PREPARE_LOCK } from '../database/prepare-lock.js';
import type { SqlSource } from '../database/sql-source.js';
import type { OutboxSql } from './outbox-sql.js';

/**
 * Sees to it that the tables of an outbox are there; any number of processes may do so at once.
 *
 * @param mayCreate false: it is an error that one is not there
 * @throws MillraceError DATABASE_FAILED, DATABASE_UNREACHABLE
 */
export function prepareOutbox<Transaction>(source: SqlSource<Transaction>, sql: OutboxSql, mayCreate = true): Promise<void> {
  const { dialect } = source;
  return ownStatement('make the tables of the outbox', () =>
    source.transaction(async (transaction) => {
      const within = source.within(transaction);
      if (await isReady(within, sql)) return;
      if (!mayCreate) throw noTables('has not all tables of the outbox', `${dialect}/0002_outbox.sql`);
      // Several processes that make a table at once would fail.
      if (dialect === 'postgres') await within.query('SELECT pg_advisory_xact_lock($1)', [PREPARE_LOCK]);
      for (const statement of sql.schema) await within.query(statement);
    }),
  );
}

async function isReady(sql: SqlTransaction, { isReady: question }: OutboxSql): Promise<boolean> {
  const { rows } = await sql.query<{ ready: unknown }>(question.text, question.parameters);
  return Boolean(Number(rows[0]?.ready));
}
