import type { SqlTransaction } from '@millrace/core';

/** The advisory lock under which a process makes the table: any number that all processes share. */
const PREPARE_LOCK = 0x6d_69_6c_6c;

const SCHEMA = [
  `CREATE TABLE IF NOT EXISTS millrace_inbox (
     subscriber text NOT NULL,
     message_id text NOT NULL,
     handled_at timestamptz NOT NULL DEFAULT now(),
     PRIMARY KEY (subscriber, message_id)
   )`,
  // For the purge, which must not read the whole table.
  'CREATE INDEX IF NOT EXISTS millrace_inbox_handled_at ON millrace_inbox (handled_at)',
];

const RECORD = 'INSERT INTO millrace_inbox (subscriber, message_id) VALUES ($1, $2) ON CONFLICT DO NOTHING';

const PURGE = `DELETE FROM millrace_inbox WHERE ctid = ANY(ARRAY(
   SELECT ctid FROM millrace_inbox WHERE handled_at < now() - make_interval(secs => $1::double precision / 1000)
   ORDER BY handled_at LIMIT $2 FOR UPDATE SKIP LOCKED))`;

export async function inboxTableExists(sql: SqlTransaction): Promise<boolean> {
  const { rows } = await sql.query<{ name: string | null }>(`SELECT to_regclass('millrace_inbox')::text AS name`);
  return typeof rows[0]?.name === 'string';
}

/** `CREATE TABLE IF NOT EXISTS` fails when two run at once, so they take turns. */
export async function createInboxTable(sql: SqlTransaction): Promise<void> {
  await sql.query('SELECT pg_advisory_xact_lock($1)', [PREPARE_LOCK]);
  for (const statement of SCHEMA) await sql.query(statement);
}

/** Waits while another transaction is at the same message. @returns false when the message is recorded already */
export async function recordMessage(sql: SqlTransaction, subscriber: string, messageId: string): Promise<boolean> {
  const { rowCount } = await sql.query(RECORD, [subscriber, messageId]);
  return rowCount > 0;
}

/** Deletes up to `limit` of the oldest rows; rows that another process is deleting are left to it. @returns how many */
export async function purgeInbox(sql: SqlTransaction, keepMs: number, limit: number): Promise<number> {
  const { rowCount } = await sql.query(PURGE, [keepMs, limit]);
  return rowCount;
}
