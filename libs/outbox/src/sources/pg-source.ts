import { MillraceError, type SqlResult, type SqlTransaction } from '@millrace/core';
import type { Pool, PoolClient } from 'pg';
import { lend } from '../database/lent-handle.js';
import type { SqlSource } from '../database/sql-source.js';
import { assertGiven, poolSize, refuseGiven } from './given-object.js';

/**
 * A pool of `pg`. A handler's transaction is a `PoolClient` that has begun one.
 *
 * @throws MillraceError INVALID_OPTIONS
 */
export function pgSource(pool: Pool): SqlSource<PoolClient> {
  assertGiven(pool, 'pgSource', { expected: 'a Pool of pg', methods: ['connect', 'query', 'end', 'on'] });
  if (typeof pool.totalCount !== 'number') refuseGiven('pgSource', 'a Pool of pg', 'a single connection');
  return new PgSource(pool);
}

class PgSource implements SqlSource<PoolClient> {
  readonly dialect = 'postgres';
  readonly connections: number | undefined;
  readonly #pool: Pool;

  constructor(pool: Pool) {
    this.#pool = pool;
    this.connections = poolSize(pool);
  }

  async transaction<T>(work: (transaction: PoolClient) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect();
    let lost: Error | undefined;
    const onError = (error: Error): void => void (lost ??= error);
    // Without a listener, an error between two statements would end the process.
    client.on('error', onError);
    try {
      await client.query('BEGIN');
      const value = await lend(client, work);
      const { command } = await client.query('COMMIT');
      if (command !== 'COMMIT') throw rolledBack();
      return value;
    } catch (thrown) {
      await client.query('ROLLBACK').catch(onError);
      throw thrown;
    } finally {
      client.release(lost);
      client.off('error', onError);
    }
  }

  within(client: PoolClient): SqlTransaction {
    return {
      query: async <Row>(text: string, parameters: readonly unknown[] = []): Promise<SqlResult<Row>> => {
        const { rows, rowCount } = await client.query<Row & object>(text, [...parameters]);
        return { rows, rowCount: rowCount ?? 0 };
      },
    };
  }
}

function rolledBack(): MillraceError {
  return new MillraceError(
    'DATABASE_FAILED',
    'A statement of the transaction failed and its error was caught, so PostgreSQL has rolled everything back: let the error out, or ' +
      'put a savepoint before the statement.',
  );
}
