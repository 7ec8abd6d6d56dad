import { asError, MillraceError, quote, type SqlResult } from '@millrace/core';
import type { PoolClient, QueryResult } from 'pg';
import { isConnectionError, unreachable } from './database-errors.js';

/** A statement's result, and its command tag: `INSERT`, `COMMIT`, ... */
export interface TaggedResult<Row> extends SqlResult<Row> {
  readonly command: string;
}

/**
 * A connection of the pool for as long as someone uses it: lent -> given back. It goes back into the pool only when it is
 * as good as new; one that broke, or still has a transaction open, is destroyed.
 */
export class LentConnection {
  readonly #client: PoolClient;
  readonly #place: string;
  #lost: Error | null = null;
  #last: Promise<unknown> = Promise.resolve();
  #givenBack = false;

  constructor(client: PoolClient, place: string) {
    this.#client = client;
    this.#place = place;
    // Without a listener, an error between two statements would end the process.
    client.on('error', this.#onError);
  }

  /** True once the connection broke: nothing can be said to the server any more. */
  get lost(): boolean {
    return this.#lost !== null;
  }

  /** True between BEGIN and its end, whether the transaction is well or failed. */
  get inTransaction(): boolean {
    return this.#client.getTransactionStatus() !== 'I';
  }

  /** Statements run one after the other, in the order of the calls. */
  query<Row>(text: string, parameters: readonly unknown[] = []): Promise<TaggedResult<Row>> {
    assertStatement(text, parameters);
    const result = this.#last.then(() => this.#run<Row>(text, parameters));
    // A statement waits for the one before to keep the order; the failure of that belongs to its own caller.
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Resolves when no statement is running or waiting to. */
  async idle(): Promise<void> {
    await this.#last;
  }

  giveBack(): void {
    if (this.#givenBack) return;
    this.#givenBack = true;
    this.#client.release(this.lost || this.inTransaction);
    this.#client.off('error', this.#onError);
  }

  /** Ends the connection while it is in use. */
  cut(): void {
    this.#lost ??= new Error('the database was closed in this process');
    this.giveBack();
  }

  readonly #onError = (error: Error): void => {
    this.#lost ??= error;
  };

  async #run<Row>(text: string, parameters: readonly unknown[]): Promise<TaggedResult<Row>> {
    if (this.#lost) throw this.#lostError(this.#lost);
    try {
      return lastResult<Row>(await this.#client.query({ text, values: [...parameters] }));
    } catch (error) {
      if (!isConnectionError(error)) {
        await this.#learnStatus();
        throw error;
      }
      this.#lost ??= error;
      throw this.#lostError(this.#lost);
    }
  }

  /** An error arrives before the server has reported the state of the transaction, so an empty statement asks for it. */
  async #learnStatus(): Promise<void> {
    try {
      await this.#client.query('');
    } catch (error) {
      this.#lost ??= asError(error);
    }
  }

  #lostError(cause: Error): MillraceError {
    return unreachable('The connection to the database was lost', this.#place, cause);
  }
}

/** @throws MillraceError INVALID_INPUT */
export function assertStatement(text: unknown, parameters: unknown): void {
  if (typeof text !== 'string' || text === '') {
    throw new MillraceError('INVALID_INPUT', `A statement must be SQL text, not ${text === '' ? 'empty' : quote(text)}.`);
  }
  if (!Array.isArray(parameters)) {
    throw new MillraceError('INVALID_INPUT', `The parameters of a statement must be an array, not ${quote(parameters)}.`);
  }
}

/** A text of several statements has several results: the last one counts, as in PostgreSQL's own clients. */
function lastResult<Row>(answer: unknown): TaggedResult<Row> {
  const result = (Array.isArray(answer) ? answer.at(-1) : answer) as QueryResult<never>;
  return { rows: result.rows, rowCount: result.rowCount ?? 0, command: result.command };
}
