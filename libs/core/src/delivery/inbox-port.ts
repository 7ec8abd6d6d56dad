import type { SqlTransaction } from './sql-transaction.js';

export type InboxResult<T> = { readonly duplicate: true } | { readonly duplicate: false; readonly value: T };

/** Makes effects happen once: records a message in the same SQL transaction as the writes of its handler. */
export interface InboxPort {
  /**
   * Runs `work` inside a transaction that also records `messageId`, unless it is recorded already. An error that `work` throws
   * rolls everything back and is thrown on.
   *
   * @param subscriber who handles the message: the same message handled by two subscribers takes effect twice
   */
  run<T>(subscriber: string, messageId: string, work: (transaction: SqlTransaction) => Promise<T>): Promise<InboxResult<T>>;
}
