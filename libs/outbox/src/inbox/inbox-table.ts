import type { SqlTransaction } from '@millrace/core';

export const INBOX_TABLE = [
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

/** Waits while another transaction is at the same message. */
export async function recordMessage(sql: SqlTransaction, subscriber: string, messageId: string): Promise<'recorded' | 'duplicate'> {
  const { rowCount } = await sql.query(RECORD, [subscriber, messageId]);
  return rowCount > 0 ? 'recorded' : 'duplicate';
}

/** Deletes up to `limit` of the oldest rows; rows that another process is deleting are left to it. @returns how many */
export async function purgeInbox(sql: SqlTransaction, keepMs: number, limit: number): Promise<number> {
  const { rowCount } = await sql.query(PURGE, [keepMs, limit]);
  return rowCount;
}
