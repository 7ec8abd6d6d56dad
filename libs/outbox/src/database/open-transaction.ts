import { assertOutsideStep, MillraceError, type SqlResult, type SqlTransaction } from '@millrace/core';
import type { TransactionLimits } from './database-options.js';
import { ownStatement } from './database-errors.js';
import type { LentConnection } from './lent-connection.js';

/**
 * States: open -> committed | rolled back. A statement that fails makes PostgreSQL refuse all that follow, and turn COMMIT
 * into a ROLLBACK that is reported as a success: {@link commit} sees that and throws.
 */
export class OpenTransaction {
  /** The transaction as the work uses it. */
  readonly handle: SqlTransaction = { query: (text, parameters) => this.#query(text, parameters) };
  readonly #connection: LentConnection;
  #ended = false;
  #left = false;
  #failure: unknown;

  private constructor(connection: LentConnection) {
    this.#connection = connection;
  }

  static async begin(connection: LentConnection, limits: TransactionLimits): Promise<OpenTransaction> {
    const statements = ['BEGIN'];
    if (limits.statementMs > 0) statements.push(`SET LOCAL statement_timeout = ${limits.statementMs}`);
    if (limits.idleMs > 0) statements.push(`SET LOCAL idle_in_transaction_session_timeout = ${limits.idleMs}`);
    await ownStatement('begin a transaction', () => connection.query(statements.join('; ')));
    return new OpenTransaction(connection);
  }

  /** Ends the transaction for the work, and for good. */
  async commit(): Promise<void> {
    this.#ended = true;
    await this.#connection.idle();
    if (this.#left) throw leftTransaction();
    // The error of a deferred constraint belongs to the work's statements, so it is passed on as it is.
    const { command } = await this.#connection.query('COMMIT');
    if (command !== 'COMMIT') throw abortedTransaction(this.#failure);
  }

  /** Never throws: when the server cannot be reached, the connection is destroyed, and that rolls back too. */
  async rollback(): Promise<void> {
    this.#ended = true;
    await this.#connection.idle();
    if (this.#connection.lost || this.#left) return;
    await this.#connection.query('ROLLBACK').catch(() => undefined);
  }

  async #query<Row>(text: string, parameters?: readonly unknown[]): Promise<SqlResult<Row>> {
    if (this.#ended) throw endedTransaction();
    if (this.#left) throw leftTransaction();
    assertOutsideStep(this.handle);
    try {
      const { rows, rowCount } = await this.#connection.query<Row>(text, parameters);
      return { rows, rowCount };
    } catch (error) {
      this.#failure ??= error;
      throw error;
    } finally {
      this.#left ||= !this.#connection.inTransaction;
    }
  }
}

function endedTransaction(): MillraceError {
  return new MillraceError(
    'CLOSED',
    'The transaction has ended already, so this statement was not run: await every statement before the work returns.',
  );
}

function leftTransaction(): MillraceError {
  return new MillraceError(
    'DATABASE_FAILED',
    'A statement of the work ended the transaction (COMMIT, ROLLBACK), which must stay open until the work returns: what ' +
      'came before it is committed or undone already, what came after it was refused. Use savepoints to undo a part.',
  );
}

function abortedTransaction(cause: unknown): MillraceError {
  return new MillraceError(
    'DATABASE_FAILED',
    'A statement of the work failed and the work went on as if it had not. PostgreSQL has rolled everything back: let the ' +
      'error out of the work, or put a savepoint before the statement.',
    { cause },
  );
}
