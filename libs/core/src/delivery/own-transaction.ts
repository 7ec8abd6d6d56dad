import { MillraceError } from '../errors.js';
import type { SqlTransaction, TransactionSource } from './sql-transaction.js';

/**
 * The transaction in the type of the application's own library.
 *
 * @throws MillraceError INBOX_NOT_CONFIGURED our own connections have opened it
 * @throws MillraceError INVALID_INPUT it is of another source
 */
export function ownTransaction<Transaction>({ own }: SqlTransaction, source?: TransactionSource<Transaction>): Transaction {
  if (own === undefined) throw noLibrary();
  if (source !== undefined && source !== own.source) throw otherSource();
  return own.transaction as Transaction;
}

function noLibrary(): MillraceError {
  return new MillraceError(
    'INBOX_NOT_CONFIGURED',
    'ctx.transactionOf() is there only when the option database is a source, such as drizzleSource(db): the database is named by ' +
      'a URL here, so use ctx.transaction.query().',
  );
}

function otherSource(): MillraceError {
  return new MillraceError(
    'INVALID_INPUT',
    'The transaction of this handler is not of the source that was given to ctx.transactionOf(): give it the object that the ' +
      'option database has.',
  );
}
