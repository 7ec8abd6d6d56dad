import type { PartitionOwner } from './delivery.js';
import type { SqlTransaction } from './sql-transaction.js';

export type InboxResult<T> = { readonly duplicate: true } | { readonly duplicate: false; readonly value: T };

/** The owner of a partition of an ordered group, as one who handles messages. */
export interface OwningSubscriber {
  /** Names the group on its topic. */
  readonly name: string;
  readonly partition: number;
  readonly owner: PartitionOwner;
}

/** Makes effects happen once: records a message in the same SQL transaction as the writes of its handler. */
export interface InboxPort {
  /**
   * Runs `work` inside a transaction that also records `messageId`, unless it is recorded already. An error that `work` throws
   * rolls everything back and is thrown on.
   *
   * @param subscriber who handles the message: the same message handled by two subscribers takes effect twice. An owner takes
   *   effect only while the database knows no other owner of the partition with as high an epoch
   * @throws OwnerFencedError it knows one; `work` was not run
   */
  run<T>(
    subscriber: string | OwningSubscriber,
    messageId: string,
    work: (transaction: SqlTransaction) => Promise<T>,
  ): Promise<InboxResult<T>>;
}
