import type { OwningSubscriber, SqlTransaction } from '@millrace/core';
import type { InboxNames } from './inbox-place.js';
import { type InboxSql, otherThan, type Recorded } from './inbox-sql.js';

/** A savepoint is gone with its transaction, whichever way that has ended. */
const MARK = 'millrace_inbox';
const NO_SUCH_SAVEPOINT = 1_305;

/**
 * The inbox in MySQL 8 and MariaDB 10.6 and above. Names are bytes there: a text would be compared by its collation, and one of
 * the full length would not fit into an index.
 */
export class MysqlInbox implements InboxSql {
  readonly schema: InboxSql['schema'];
  readonly #names: InboxNames;

  constructor(names: InboxNames) {
    this.#names = names;
    this.schema = mysqlInboxSchema(names);
  }

  /** A wait for a lock ends by itself, after `innodb_lock_wait_timeout`. */
  limit(): Promise<void> {
    return Promise.resolve();
  }

  /** Transactions that have waited for one that was undone get into a deadlock, in which all but one fail: they begin again. */
  async record(sql: SqlTransaction, subscriber: string, messageId: string): Promise<Recorded> {
    const text = `INSERT IGNORE INTO ${this.#names.inbox} (subscriber, message_id, handled_at) VALUES ($1, $2, UTC_TIMESTAMP(3))`;
    const { rowCount } = await sql.query(text, [subscriber, messageId]);
    return rowCount > 0 ? 'recorded' : 'duplicate';
  }

  /**
   * The row is locked so that owners of later terms wait for this transaction, while others of the same term go on beside it. No
   * statement before it reads without a lock, so the handler sees all that was done while this one waited.
   */
  async recordOwned(sql: SqlTransaction, subscriber: OwningSubscriber, messageId: string): Promise<Recorded | 'not-owner'> {
    const { name, partition, owner: { epoch, member } } = subscriber;
    const { inbox, owner } = this.#names;
    const isOwner = `FROM ${owner} WHERE subscriber = $1 AND \`partition\` = $2 AND epoch = $3 AND member = $4 LOCK IN SHARE MODE`;
    const asOwner = [name, partition, epoch, member];
    const text = `INSERT IGNORE INTO ${inbox} (subscriber, message_id, handled_at) SELECT $1, $5, UTC_TIMESTAMP(3) ${isOwner}`;
    const { rowCount } = await sql.query(text, [...asOwner, messageId]);
    if (rowCount > 0) return 'recorded';
    const { rows } = await sql.query(`SELECT 1 ${isOwner}`, asOwner);
    return rows.length > 0 ? 'duplicate' : 'not-owner';
  }

  async raiseOwner(sql: SqlTransaction, { name, partition, owner }: OwningSubscriber): Promise<number | null> {
    const before = await this.#known(sql, { name, partition });
    // One that is refused must not wait for the handlers of the owner that is known.
    if (before && before.epoch >= owner.epoch) return otherThan(owner, before);
    // The columns are set from left to right: the epoch is compared before it is changed.
    const text = `
      INSERT INTO ${this.#names.owner} (subscriber, \`partition\`, epoch, member) VALUES ($1, $2, $3, $4)
      ON DUPLICATE KEY UPDATE member = IF(epoch < VALUES(epoch), VALUES(member), member), epoch = GREATEST(epoch, VALUES(epoch))`;
    await sql.query(text, [name, partition, owner.epoch, owner.member]);
    // Without a lock it would read what the transaction has read at first.
    return otherThan(owner, (await this.#known(sql, { name, partition, lock: ' FOR UPDATE' }))!);
  }

  async mark(sql: SqlTransaction): Promise<void> {
    await sql.query(`SAVEPOINT ${MARK}`);
  }

  async isOpen(sql: SqlTransaction): Promise<boolean> {
    try {
      await sql.query(`RELEASE SAVEPOINT ${MARK}`);
      return true;
    } catch (thrown) {
      if (hasNumber(thrown, NO_SUCH_SAVEPOINT)) return false;
      throw thrown;
    }
  }

  /** Two that delete at once would lock each other's rows: one process does it at a time, the others leave it to that one. */
  async purge(sql: SqlTransaction, keepMs: number, limit: number): Promise<number> {
    const { inbox } = this.#names;
    const lock = `CONCAT('millrace:', MD5(CONCAT(DATABASE(), '${inbox}')))`;
    const { rows } = await sql.query<{ got: number | string | null }>(`SELECT GET_LOCK(${lock}, 0) AS got`);
    if (Number(rows[0]!.got) !== 1) return 0;
    try {
      const text = `DELETE FROM ${inbox} WHERE handled_at < UTC_TIMESTAMP(3) - INTERVAL $1 MICROSECOND ORDER BY handled_at LIMIT ${limit}`;
      const { rowCount } = await sql.query(text, [keepMs * 1_000]);
      return rowCount;
    } finally {
      await sql.query(`SELECT RELEASE_LOCK(${lock}) AS released`);
    }
  }

  async missingTables(sql: SqlTransaction): Promise<string[]> {
    const { schema, tables } = this.#names;
    const text = `SELECT table_name AS name FROM information_schema.tables
      WHERE table_schema = COALESCE($1, DATABASE()) AND table_name IN ($2, $3)`;
    const { rows } = await sql.query<{ name: string }>(text, [schema, ...tables]);
    const there = rows.map(({ name }) => name.toLowerCase());
    return tables.filter((name) => !there.includes(name));
  }

  /** Each statement is a transaction of its own here, and any number of them may run at once. */
  async createMissingTables(sql: SqlTransaction): Promise<void> {
    for (const { statements } of this.schema) for (const statement of statements) await sql.query(statement);
  }

  async #known(sql: SqlTransaction, { name, partition, lock = '' }: Known): Promise<OwningSubscriber['owner'] | undefined> {
    const text = `SELECT epoch, CONVERT(member USING utf8mb4) AS member
      FROM ${this.#names.owner} WHERE subscriber = $1 AND \`partition\` = $2${lock}`;
    const { rows } = await sql.query<{ epoch: number | string; member: string }>(text, [name, partition]);
    return rows[0] && { member: rows[0].member, epoch: Number(rows[0].epoch) };
  }
}

interface Known {
  readonly name: string;
  readonly partition: number;
  readonly lock?: string;
}

/** Libraries wrap the errors of their drivers, or copy what those have. */
function hasNumber(thrown: unknown, number: number): boolean {
  for (let error = thrown, depth = 0; error instanceof Error && depth < 5; error = error.cause, depth += 1) {
    if ((error as { errno?: unknown }).errno === number) return true;
  }
  return false;
}

/** One row for each message of a subscriber, and one for each partition of a group, which is never removed. */
function mysqlInboxSchema({ inbox, owner, index, tables }: InboxNames): InboxSql['schema'] {
  const inboxTable = `CREATE TABLE IF NOT EXISTS ${inbox} (
  subscriber varbinary(1024) NOT NULL,
  message_id varbinary(1024) NOT NULL,
  handled_at datetime(3) NOT NULL,
  PRIMARY KEY (subscriber, message_id),
  INDEX ${index} (handled_at)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC`;
  const ownerTable = `CREATE TABLE IF NOT EXISTS ${owner} (
  subscriber varbinary(1024) NOT NULL,
  \`partition\` integer NOT NULL,
  epoch bigint NOT NULL,
  member varbinary(1024) NOT NULL,
  PRIMARY KEY (subscriber, \`partition\`)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC`;
  return [
    { table: tables[0]!, statements: [inboxTable] },
    { table: tables[1]!, statements: [ownerTable] },
  ];
}
