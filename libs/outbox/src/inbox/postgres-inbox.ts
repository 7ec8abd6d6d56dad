import type { OwningSubscriber, SqlTransaction } from '@millrace/core';
import { PREPARE_LOCK } from '../database/prepare-lock.js';
import type { InboxNames } from './inbox-place.js';
import { type InboxSql, otherThan, type Recorded } from './inbox-sql.js';

/** The limits of a transaction whose library, and whose server, have none. */
const LIMITS = { statement_timeout: '45s', idle_in_transaction_session_timeout: '30s' };

/** The transaction that recorded a message has a number; one that a statement of the handler has begun anew has none yet. */
const IS_OPEN = 'SELECT txid_current_if_assigned() IS NOT NULL AS open';

/** The inbox in PostgreSQL 11 and above, and in PGlite. */
export class PostgresInbox implements InboxSql {
  readonly schema: InboxSql['schema'];
  readonly #names: InboxNames;
  #limit: Promise<string> | null = null;

  constructor(names: InboxNames) {
    this.#names = names;
    this.schema = postgresInboxSchema(names);
  }

  async limit(sql: SqlTransaction): Promise<void> {
    this.#limit ??= limitOf(sql);
    // The next one asks again when this one cannot.
    this.#limit.catch(() => (this.#limit = null));
    await sql.query(await this.#limit);
  }

  async record(sql: SqlTransaction, subscriber: string, messageId: string): Promise<Recorded> {
    const text = `INSERT INTO ${this.#names.inbox} (subscriber, message_id) VALUES ($1, $2) ON CONFLICT DO NOTHING`;
    const { rowCount } = await sql.query(text, [subscriber, messageId]);
    return rowCount > 0 ? 'recorded' : 'duplicate';
  }

  /**
   * The row is locked so that owners of later terms wait for this transaction, while others of the same term go on beside it.
   * Only the row of that very owner is locked: two transactions that share one and both want to change it would wait for each
   * other.
   */
  async recordOwned(
    sql: SqlTransaction,
    { name, partition, owner: { epoch, member } }: OwningSubscriber,
    messageId: string,
  ): Promise<Recorded | 'not-owner'> {
    const text = `
      WITH owner AS (
        SELECT FROM ${this.#names.owner} WHERE subscriber = $1 AND partition = $3 AND epoch = $4 AND member = $5 FOR SHARE
      ), recorded AS (
        INSERT INTO ${this.#names.inbox} (subscriber, message_id) SELECT $1, $2 FROM owner ON CONFLICT DO NOTHING RETURNING subscriber
      )
      SELECT EXISTS (SELECT FROM owner) AS owned, EXISTS (SELECT FROM recorded) AS recorded`;
    const { rows } = await sql.query<{ owned: boolean; recorded: boolean }>(text, [name, messageId, partition, epoch, member]);
    const [{ owned, recorded }] = rows as [{ owned: boolean; recorded: boolean }];
    if (!owned) return 'not-owner';
    return recorded ? 'recorded' : 'duplicate';
  }

  async raiseOwner(sql: SqlTransaction, { name, partition, owner }: OwningSubscriber): Promise<number | null> {
    const before = await this.#known(sql, name, partition);
    // One that is refused must not wait for the handlers of the owner that is known.
    if (before && before.epoch >= owner.epoch) return otherThan(owner, before);
    const text = `
      INSERT INTO ${this.#names.owner} AS known (subscriber, partition, epoch, member) VALUES ($1, $2, $3, $4)
      ON CONFLICT (subscriber, partition) DO UPDATE SET epoch = excluded.epoch, member = excluded.member
      WHERE known.epoch < excluded.epoch`;
    await sql.query(text, [name, partition, owner.epoch, owner.member]);
    return otherThan(owner, (await this.#known(sql, name, partition))!);
  }

  mark(): Promise<void> {
    return Promise.resolve();
  }

  async isOpen(sql: SqlTransaction): Promise<boolean> {
    const { rows } = await sql.query<{ open: boolean }>(IS_OPEN);
    return rows[0]!.open;
  }

  async purge(sql: SqlTransaction, keepMs: number, limit: number): Promise<number> {
    const text = `DELETE FROM ${this.#names.inbox} WHERE ctid = ANY(ARRAY(
      SELECT ctid FROM ${this.#names.inbox} WHERE handled_at < now() - make_interval(secs => $1::double precision / 1000)
      ORDER BY handled_at LIMIT $2 FOR UPDATE SKIP LOCKED))`;
    const { rowCount } = await sql.query(text, [keepMs, limit]);
    return rowCount;
  }

  async missingTables(sql: SqlTransaction): Promise<string[]> {
    const { inbox, owner, tables } = this.#names;
    const text = 'SELECT to_regclass($1) IS NULL AS inbox, to_regclass($2) IS NULL AS owner';
    const { rows } = await sql.query<{ inbox: boolean; owner: boolean }>(text, [inbox, owner]);
    const isMissing = [rows[0]!.inbox, rows[0]!.owner];
    return tables.filter((_, index) => isMissing[index]);
  }

  /**
   * `CREATE TABLE IF NOT EXISTS` fails when two run at once, so they take turns. A table that is there is left alone: an index
   * that is there, too, would still wait for all handlers that write to its table.
   */
  async createMissingTables(sql: SqlTransaction): Promise<void> {
    await sql.query('SELECT pg_advisory_xact_lock($1)', [PREPARE_LOCK]);
    const missing = await this.missingTables(sql);
    for (const { table, statements } of this.schema) {
      if (missing.includes(table)) for (const statement of statements) await sql.query(statement);
    }
  }

  async #known(sql: SqlTransaction, name: string, partition: number): Promise<OwningSubscriber['owner'] | undefined> {
    const text = `SELECT epoch, member FROM ${this.#names.owner} WHERE subscriber = $1 AND partition = $2`;
    const { rows } = await sql.query<{ epoch: string; member: string }>(text, [name, partition]);
    return rows[0] && { member: rows[0].member, epoch: Number(rows[0].epoch) };
  }
}

/** PGlite, which has no other process to wait for, refuses a statement that as much as names the second limit. */
async function limitOf(sql: SqlTransaction): Promise<string> {
  const { rows } = await sql.query<{ version: string }>('SELECT version() AS version');
  const names = rows[0]!.version.includes('PGlite') ? ['statement_timeout' as const] : (Object.keys(LIMITS) as (keyof typeof LIMITS)[]);
  const unset = names.map((name) => `CASE current_setting('${name}') WHEN '0' THEN set_config('${name}', '${LIMITS[name]}', true) END AS ${name}`);
  return `SELECT ${unset.join(', ')}`;
}

/** One row for each message of a subscriber, and one for each partition of a group, which is never removed. */
function postgresInboxSchema({ inbox, owner, index, tables }: InboxNames): InboxSql['schema'] {
  const inboxTable = `CREATE TABLE IF NOT EXISTS ${inbox} (
  subscriber text NOT NULL,
  message_id text NOT NULL,
  handled_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (subscriber, message_id)
)`;
  const ownerTable = `CREATE TABLE IF NOT EXISTS ${owner} (
  subscriber text NOT NULL,
  partition integer NOT NULL,
  epoch bigint NOT NULL,
  member text NOT NULL,
  PRIMARY KEY (subscriber, partition)
)`;
  return [
    // The index is for the purge, which must not read the whole table.
    { table: tables[0]!, statements: [inboxTable, `CREATE INDEX IF NOT EXISTS ${index} ON ${inbox} (handled_at)`] },
    { table: tables[1]!, statements: [ownerTable] },
  ];
}
