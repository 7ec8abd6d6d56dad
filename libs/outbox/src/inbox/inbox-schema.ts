import type { SqlTransaction } from '@millrace/core';
import { INBOX_TABLE } from './inbox-table.js';
import { OWNER_TABLE } from './owner-table.js';

/** The advisory lock under which a process makes the tables: any number that all processes share. */
const PREPARE_LOCK = 0x6d_69_6c_6c;

const TABLES: Readonly<Record<string, readonly string[]>> = { millrace_inbox: INBOX_TABLE, millrace_owner: OWNER_TABLE };

const MISSING = 'SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NULL';

/** The tables that are not there. An older version has made some of them. */
export async function missingTables(sql: SqlTransaction): Promise<string[]> {
  const { rows } = await sql.query<{ name: string }>(MISSING, [Object.keys(TABLES)]);
  return rows.map(({ name }) => name);
}

/**
 * `CREATE TABLE IF NOT EXISTS` fails when two run at once, so they take turns. A table that is there is left alone: an index that
 * is there, too, would still wait for all handlers that write to its table.
 */
export async function createMissingTables(sql: SqlTransaction): Promise<void> {
  await sql.query('SELECT pg_advisory_xact_lock($1)', [PREPARE_LOCK]);
  for (const name of await missingTables(sql)) for (const statement of TABLES[name]!) await sql.query(statement);
}
