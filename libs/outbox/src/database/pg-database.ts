import { emit, errorRecord, MillraceError, type SqlResult, type SqlTransaction } from '@millrace/core';
import type { Pool } from 'pg';
import type { TransactionLimits } from './database-options.js';
import { isPoolBusy, unreachable } from './database-errors.js';
import { LentConnection } from './lent-connection.js';
import { OpenTransaction } from './open-transaction.js';
import type { SqlDatabase } from './sql-database.js';

export interface PgDatabaseParts {
  readonly pool: Pool;
  readonly limits: TransactionLimits;
  /** The place of the database, for errors. */
  readonly place: string;
  /** How long {@link PgDatabase.close} waits for transactions in flight. */
  readonly closeMs: number;
}

/** A database reached by the `pg` driver. */
export class PgDatabase implements SqlDatabase {
  readonly dialect = 'postgres';
  readonly #parts: PgDatabaseParts;
  readonly #lent = new Set<LentConnection>();
  #closed: Promise<void> | null = null;

  constructor(parts: PgDatabaseParts) {
    this.#parts = parts;
    // A connection that breaks in the pool has left it already; without a listener the process would end.
    parts.pool.on('error', (error) => emit('connection', { name: 'database', state: 'lost', error: errorRecord(error) }));
  }

  get connections(): number {
    return this.#parts.pool.options.max;
  }

  async query<Row>(text: string, parameters?: readonly unknown[]): Promise<SqlResult<Row>> {
    return this.#withConnection(async (connection) => {
      const { rows, rowCount } = await connection.query<Row>(text, parameters);
      return { rows, rowCount };
    });
  }

  async transaction<T>(work: (transaction: SqlTransaction) => Promise<T>): Promise<T> {
    return this.#withConnection(async (connection) => {
      const transaction = await OpenTransaction.begin(connection, this.#parts.limits);
      const value = await undoneOnThrow(transaction, work);
      await transaction.commit();
      return value;
    });
  }

  within(transaction: SqlTransaction): SqlTransaction {
    return transaction;
  }

  async close(): Promise<void> {
    this.#closed ??= this.#close();
    await this.#closed;
  }

  async #close(): Promise<void> {
    const limit = setTimeout(() => this.#lent.forEach((connection) => connection.cut()), this.#parts.closeMs);
    await this.#parts.pool.end();
    clearTimeout(limit);
  }

  async #withConnection<T>(use: (connection: LentConnection) => Promise<T>): Promise<T> {
    const connection = await this.#borrow();
    this.#lent.add(connection);
    try {
      return await use(connection);
    } finally {
      this.#lent.delete(connection);
      connection.giveBack();
    }
  }

  async #borrow(): Promise<LentConnection> {
    const { pool, place } = this.#parts;
    if (this.#closed) throw new MillraceError('CLOSED', `The database (${place}) was closed in this process.`);
    try {
      return new LentConnection(await pool.connect(), place);
    } catch (error) {
      throw isPoolBusy(error) ? busy(this.#parts, error) : unreachable('The database cannot be reached', place, error);
    }
  }
}

async function undoneOnThrow<T>(transaction: OpenTransaction, work: (handle: SqlTransaction) => Promise<T>): Promise<T> {
  try {
    return await work(transaction.handle);
  } catch (thrown) {
    await transaction.rollback();
    throw thrown;
  }
}

function busy({ pool, place }: PgDatabaseParts, cause: unknown): MillraceError {
  return new MillraceError(
    'BACK_PRESSURE',
    `All ${pool.options.max} connections to the database (${place}) stayed busy for ${pool.options.connectionTimeoutMillis} ms: ` +
      'use more connections, or handle fewer messages at once.',
    { cause, retryable: true },
  );
}
