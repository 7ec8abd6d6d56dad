import { assertOutsideStep, MillraceError, type OwnTransaction, type SqlResult, type SqlTransaction } from '@millrace/core';
import { assertStatement } from '../database/lent-connection.js';

/** A transaction that the application's own library has begun, as a handler uses it: open -> ended. */
export class HandlerTransaction implements SqlTransaction {
  readonly own: OwnTransaction;
  /** Without an end. */
  readonly plain: SqlTransaction;
  #isEnded = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(plain: SqlTransaction, own: OwnTransaction) {
    this.plain = plain;
    this.own = own;
  }

  /** Statements run one after the other, in the order of the calls. */
  async query<Row>(text: string, parameters: readonly unknown[] = []): Promise<SqlResult<Row>> {
    if (this.#isEnded) throw ended();
    assertOutsideStep(this);
    const result = this.#last.then(() => {
      assertStatement(text, parameters);
      return this.plain.query<Row>(text, parameters);
    });
    // A statement waits for the one before to keep the order; the failure of that belongs to its own caller.
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Resolves when no statement is running or waiting to. */
  async end(): Promise<void> {
    this.#isEnded = true;
    await this.#last;
  }
}

function ended(): MillraceError {
  return new MillraceError(
    'CLOSED',
    'The transaction has ended already, so this statement was not run: await every statement before the handler returns.',
  );
}
