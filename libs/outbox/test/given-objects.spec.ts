import { describe, expect, it } from '@jest/globals';
import {
  drizzleSource, knexSource, kyselySource, mysqlSource, pgliteSource, pgSource, typeormSource,
} from '@millrace/outbox';
import { drizzle } from 'drizzle-orm/node-postgres';
import knex from 'knex';
import { DummyDriver, Kysely, SqliteAdapter, SqliteIntrospector, SqliteQueryCompiler } from 'kysely';
import mysqlCallbacks from 'mysql2';
import pg from 'pg';
import { DataSource } from 'typeorm';

type Make = (given: never) => unknown;

const sqlite = new Kysely({
  dialect: {
    createAdapter: () => new SqliteAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  },
});

describe('a source', () => {
  it.each<[string, Make]>([
    ['pgSource', pgSource],
    ['mysqlSource', mysqlSource],
    ['pgliteSource', pgliteSource],
    ['drizzleSource', drizzleSource],
    ['kyselySource', kyselySource],
    ['knexSource', knexSource],
    ['typeormSource', typeormSource],
  ])('%s refuses what is not of its library', (name, make) => {
    for (const wrong of [undefined, null, 'postgres://there', {}, [], { transaction: 1 }, new pg.Client(), () => 1]) {
      expect(() => make(wrong as never)).toThrow(
        expect.objectContaining({ code: 'INVALID_OPTIONS', message: expect.stringContaining(`${name}() must be given`) }),
      );
    }
  });

  it('mysqlSource refuses a pool with callbacks, and says what to give', async () => {
    const pool = mysqlCallbacks.createPool({});
    const text = expect.stringContaining('give it pool.promise()');
    expect(() => mysqlSource(pool as never)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS', message: text }));
    expect(mysqlSource(pool.promise()).dialect).toBe('mysql');
    await pool.promise().end();
  });

  it('refuses a library on another database', () => {
    const text = expect.stringContaining('works with PostgreSQL, MySQL and MariaDB');
    const refused = expect.objectContaining({ code: 'INVALID_OPTIONS', message: text });
    expect(() => typeormSource(new DataSource({ type: 'cockroachdb', timeTravelQueries: false }))).toThrow(refused);
    expect(() => kyselySource(sqlite)).toThrow(refused);
    expect(() => knexSource(Object.assign(knex({ client: 'pg' }), { client: { dialect: 'sqlite3' } }))).toThrow(refused);
  });

  it('has the number of connections that its pool has, or that it is told', async () => {
    const pool = new pg.Pool({ max: 7 });
    expect([pgSource(pool).connections, drizzleSource(drizzle(pool)).connections]).toEqual([7, 7]);
    expect(drizzleSource(drizzle(pool), { connections: 3 }).connections).toBe(3);
    expect(() => drizzleSource(drizzle(pool), { connections: 0 })).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
    await pool.end();
  });
});
