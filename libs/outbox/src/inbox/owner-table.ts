import type { OwningSubscriber, SqlTransaction } from '@millrace/core';

/** One row for each partition of a group, which is never removed. */
export const OWNER_TABLE = [
  `CREATE TABLE IF NOT EXISTS millrace_owner (
     subscriber text NOT NULL,
     partition integer NOT NULL,
     epoch bigint NOT NULL,
     member text NOT NULL,
     PRIMARY KEY (subscriber, partition)
   )`,
];

/**
 * The row is locked so that owners of later terms wait for this transaction, while others of the same term go on beside it. Only
 * the row of that very owner is locked: two transactions that share one and both want to change it would wait for each other.
 */
const RECORD = `
  WITH owner AS (
    SELECT FROM millrace_owner WHERE subscriber = $1 AND partition = $3 AND epoch = $4 AND member = $5 FOR SHARE
  ), recorded AS (
    INSERT INTO millrace_inbox (subscriber, message_id) SELECT $1, $2 FROM owner ON CONFLICT DO NOTHING RETURNING subscriber
  )
  SELECT EXISTS (SELECT FROM owner) AS owned, EXISTS (SELECT FROM recorded) AS recorded`;

const KNOWN = 'SELECT epoch, member FROM millrace_owner WHERE subscriber = $1 AND partition = $2';

const RAISE = `
  INSERT INTO millrace_owner AS known (subscriber, partition, epoch, member) VALUES ($1, $2, $3, $4)
  ON CONFLICT (subscriber, partition) DO UPDATE SET epoch = excluded.epoch, member = excluded.member
  WHERE known.epoch < excluded.epoch`;

/**
 * Records a message of a partition, unless its owner is not the one that the database knows. Waits while another transaction is
 * at the same message, or the owner is being changed.
 */
export async function recordOwned(
  sql: SqlTransaction,
  { name, partition, owner: { epoch, member } }: OwningSubscriber,
  messageId: string,
): Promise<'recorded' | 'duplicate' | 'not-owner'> {
  const { rows } = await sql.query<{ owned: boolean; recorded: boolean }>(RECORD, [name, messageId, partition, epoch, member]);
  const [{ owned, recorded }] = rows as [{ owned: boolean; recorded: boolean }];
  if (!owned) return 'not-owner';
  return recorded ? 'recorded' : 'duplicate';
}

/**
 * Makes an owner the one that the database knows, unless it knows another one with as high an epoch. Waits for the transactions
 * of the owner before that are open: they take effect before all of this one, or not at all.
 *
 * @returns the epoch of the other owner where there is one; null when this one is known from now on
 */
export async function raiseOwner(sql: SqlTransaction, { name, partition, owner }: OwningSubscriber): Promise<number | null> {
  const known = async (): Promise<OwningSubscriber['owner'] | undefined> => {
    const { rows } = await sql.query<{ epoch: string; member: string }>(KNOWN, [name, partition]);
    return rows[0] && { member: rows[0].member, epoch: Number(rows[0].epoch) };
  };
  const before = await known();
  // One that is refused must not wait for the handlers of the owner that is known.
  if (before && before.epoch >= owner.epoch) return otherThan(owner, before);
  await sql.query(RAISE, [name, partition, owner.epoch, owner.member]);
  return otherThan(owner, (await known())!);
}

function otherThan(owner: OwningSubscriber['owner'], known: OwningSubscriber['owner']): number | null {
  return known.epoch === owner.epoch && known.member === owner.member ? null : known.epoch;
}
