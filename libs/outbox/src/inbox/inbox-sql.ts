import type { OwningSubscriber, SqlTransaction } from '@millrace/core';

export type Recorded = 'recorded' | 'duplicate';

/** The statements of an inbox in one dialect. */
export interface InboxSql {
  /** Makes each table, in the order of their names, when it is not there. */
  readonly schema: readonly { readonly table: string; readonly statements: readonly string[] }[];

  /** Bounds the waits of a transaction that an application's own library has begun. */
  limit(sql: SqlTransaction): Promise<void>;

  /** Records a message. Waits while another transaction is at the same message. */
  record(sql: SqlTransaction, subscriber: string, messageId: string): Promise<Recorded>;

  /**
   * Records a message of a partition, unless its owner is not the one that the database knows. Waits while another transaction is
   * at the same message, or the owner is being changed.
   */
  recordOwned(sql: SqlTransaction, subscriber: OwningSubscriber, messageId: string): Promise<Recorded | 'not-owner'>;

  /**
   * Makes an owner the one that the database knows, unless it knows another one with as high an epoch. Waits for the transactions
   * of the owner before that are open: they take effect before all of this one, or not at all.
   *
   * @returns the epoch of the other owner where there is one; null when this one is known from now on
   */
  raiseOwner(sql: SqlTransaction, subscriber: OwningSubscriber): Promise<number | null>;

  /** Remembers the transaction, which has recorded a message, for {@link isOpen}. */
  mark(sql: SqlTransaction): Promise<void>;

  /** Whether the transaction is still open that was marked. Throws the database's own error when a statement in it has failed. */
  isOpen(sql: SqlTransaction): Promise<boolean>;

  /** Deletes up to `limit` of the oldest rows; rows that another process is deleting are left to it. @returns how many */
  purge(sql: SqlTransaction, keepMs: number, limit: number): Promise<number>;

  /** The tables that are not there. An older version has made some of them. */
  missingTables(sql: SqlTransaction): Promise<string[]>;

  /** Any number of processes may do so at once. A table that is there is left alone. */
  createMissingTables(sql: SqlTransaction): Promise<void>;
}

/** The epoch of the owner that the database knows, when that is another one. */
export function otherThan(owner: OwningSubscriber['owner'], known: OwningSubscriber['owner']): number | null {
  return known.epoch === owner.epoch && known.member === owner.member ? null : known.epoch;
}
