import { MillraceError, type SqlResult, type SqlTransaction } from '@millrace/core';
import { lend } from '../database/lent-handle.js';
import { cutStatement } from '../database/placeholders.js';
import type { SqlSource } from '../database/sql-source.js';
import { assertGiven, poolSize } from './given-object.js';
import { mysqlResult } from './mysql-result.js';

/** The parts of a pool of `mysql2/promise` that are used. */
export interface MysqlPoolLike<Connection> {
  getConnection(): Promise<Connection>;
}

/** The parts of a connection of `mysql2/promise` that are used. */
export interface MysqlConnectionLike {
  query(text: string): Promise<unknown>;
  execute(text: string, values: never): Promise<unknown>;
  beginTransaction(): Promise<unknown>;
  commit(): Promise<unknown>;
  rollback(): Promise<unknown>;
  release(): void;
  destroy(): void;
}

/**
 * A pool of `mysql2/promise`, to MySQL or MariaDB. A handler's transaction is a `PoolConnection` that has begun one.
 *
 * @throws MillraceError INVALID_OPTIONS
 */
export function mysqlSource<Connection extends MysqlConnectionLike>(pool: MysqlPoolLike<Connection>): SqlSource<Connection> {
  assertGiven(pool, 'mysqlSource', { expected: 'a pool of mysql2/promise', methods: ['getConnection', 'execute', 'end'] });
  if (typeof (pool as { promise?: unknown }).promise === 'function') throw withCallbacks();
  return new MysqlSource(pool);
}

class MysqlSource<Connection extends MysqlConnectionLike> implements SqlSource<Connection> {
  readonly dialect = 'mysql';
  readonly connections: number | undefined;
  readonly #pool: MysqlPoolLike<Connection>;

  constructor(pool: MysqlPoolLike<Connection>) {
    this.#pool = pool;
    this.connections = poolSize(pool);
  }

  async transaction<T>(work: (transaction: Connection) => Promise<T>): Promise<T> {
    const connection = await this.#pool.getConnection();
    try {
      await connection.beginTransaction();
      const value = await lend(connection, work);
      await connection.commit();
      connection.release();
      return value;
    } catch (thrown) {
      await connection.rollback().then(() => connection.release(), () => connection.destroy());
      throw thrown;
    }
  }

  within(connection: Connection): SqlTransaction {
    return { query: <Row>(text: string, parameters: readonly unknown[] = []) => run<Row>(connection, text, parameters) };
  }
}

/** The server puts the parameters in; some statements without any, such as SAVEPOINT, can be made as text only. */
async function run<Row>(connection: MysqlConnectionLike, text: string, parameters: readonly unknown[]): Promise<SqlResult<Row>> {
  const { pieces, values } = cutStatement(text, parameters, 'mysql');
  const answer = values.length > 0 ? connection.execute(pieces.join('?'), values as never) : connection.query(text);
  const [result] = (await answer) as [unknown];
  return mysqlResult(result);
}

function withCallbacks(): MillraceError {
  return new MillraceError(
    'INVALID_OPTIONS',
    'mysqlSource() must be given a pool of mysql2/promise, not one with callbacks: give it pool.promise().',
  );
}
