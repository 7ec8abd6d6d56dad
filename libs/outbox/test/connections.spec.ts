import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type EventMap, listen } from '@millrace/core';
import { connectDatabase, findDatabase, type SqlDatabase, type SqlInbox } from '@millrace/outbox';
import { freePort, TcpProxy, waitFor } from '@millrace/testing';
import { Pool } from 'pg';
import { PgDatabase } from '../src/database/pg-database.js';
import { newSignal } from './signal.js';
import { databaseKinds, effects, type TestDatabase } from './test-databases.js';

const UNLIMITED = { limits: { statementMs: 0, idleMs: 0 }, place: 'here', closeMs: 300 };
const PASSWORD = 'geheim-4711';

describe.each(databaseKinds)('connections to $kind', ({ start }) => {
  let server: TestDatabase;
  let proxy: TcpProxy;
  let database: SqlDatabase;
  let inbox: SqlInbox;

  const proxied = () => {
    const url = new URL(server.url);
    url.port = String(proxy.port);
    return url.href;
  };

  beforeAll(async () => {
    server = await start();
    proxy = await TcpProxy.start(server.url);
  });
  beforeEach(async () => {
    ({ database, inbox } = await server.inbox({ url: proxied() }));
  });
  afterEach(async () => {
    await proxy.pass();
    await database.close();
  });
  afterAll(async () => {
    await server.stop();
    await proxy.stop();
  });

  it('may be many', async () => {
    const { inbox: many } = await server.inbox({ connections: 40 });
    const ids = Array.from({ length: 200 }, (_, number) => `m${number % 100}`);
    const results = await Promise.all(
      ids.map((id) => many.run('group', id, (transaction) => transaction.query('INSERT INTO effect VALUES ($1)', [id]))),
    );
    expect(results.filter(({ duplicate }) => duplicate)).toHaveLength(100);
    expect(new Set(await effects(database)).size).toBe(100);
  });

  it('are replaced when they break in the middle of a transaction', async () => {
    const run = inbox.run('group', 'm1', async (transaction) => {
      await transaction.query(`INSERT INTO effect VALUES ('a')`);
      proxy.reset();
      await transaction.query(`INSERT INTO effect VALUES ('b')`);
    });
    await expect(run).rejects.toMatchObject({ code: 'DATABASE_UNREACHABLE', retryable: true });
    expect(await inbox.run('group', 'm1', async () => 'again')).toEqual({ duplicate: false, value: 'again' });
    expect(await effects(database)).toEqual([]);
  });

  it('are replaced when they break between two statements, whatever the handler does then', async () => {
    const run = inbox.run('group', 'm1', async () => {
      proxy.reset();
      await waitFor(() => proxy.connections === 0, { what: 'the connections to end' });
    });
    await expect(run).rejects.toMatchObject({ code: 'DATABASE_UNREACHABLE', retryable: true });
    expect(await inbox.run('group', 'm1', async () => 'again')).toMatchObject({ duplicate: false });
  });

  it('are replaced, and that is told, when they break while nobody uses them', async () => {
    const told = new Promise<EventMap['connection']>((resolve) => {
      const stopListening = listen('connection', (event) => {
        stopListening();
        resolve(event);
      });
    });
    proxy.reset();
    expect(await told).toMatchObject({ name: 'database', state: 'lost' });
    expect((await database.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });

  it('may lose the answer to a commit: the message is a duplicate when it comes again', async () => {
    const committing = newSignal();
    let dropped: Promise<void> | undefined;
    const run = inbox.run('group', 'm1', async (transaction) => {
      await transaction.query(`INSERT INTO effect VALUES ('a')`);
      dropped = proxy.dropReplies();
      committing.give();
    });
    const outcome = expect(run).rejects.toMatchObject({ code: 'DATABASE_UNREACHABLE', retryable: true });
    await committing.given;
    await dropped;
    await proxy.pass();
    await outcome;
    expect(await inbox.run('group', 'm1', async () => 'again')).toEqual({ duplicate: true });
    expect(await effects(database)).toEqual(['a']);
  });

  it('come back after the server was away', async () => {
    await proxy.refuse();
    await expect(inbox.run('group', 'm1', async () => 'a')).rejects.toMatchObject({ code: 'DATABASE_UNREACHABLE', retryable: true });
    await proxy.pass();
    expect(await inbox.run('group', 'm1', async () => 'a')).toMatchObject({ duplicate: false });
  });

  it('do not wait for ever for an answer', async () => {
    const pool = new Pool({ connectionString: proxied(), query_timeout: 300 });
    const impatient = new PgDatabase({ pool, ...UNLIMITED });
    await impatient.query('SELECT 1');
    proxy.blackHole();
    await expect(impatient.transaction(async () => 'never')).rejects.toMatchObject({ code: 'DATABASE_UNREACHABLE', retryable: true });
    await proxy.pass();
    expect((await impatient.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    await impatient.close();
  });

  it('are not waited for for ever when all are busy', async () => {
    const pool = new Pool({ connectionString: server.url, max: 2, connectionTimeoutMillis: 300 });
    const small = new PgDatabase({ pool, ...UNLIMITED });
    const release = newSignal();
    const busy = [newSignal(), newSignal()];
    const holders = busy.map((signal) =>
      small.transaction(async () => {
        signal.give();
        await release.given;
      }),
    );
    // The embedded database lets one transaction in at a time, so the second one holds its connection without being inside.
    await busy[0]!.given;
    await expect(small.query('SELECT 1')).rejects.toMatchObject({
      code: 'BACK_PRESSURE',
      retryable: true,
      message: expect.stringContaining('All 2 connections'),
    });
    release.give();
    await Promise.all(holders);
    expect((await small.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    await small.close();
  });

  it('are not given back with a transaction left open', async () => {
    const single = await server.connect({ connections: 1 });
    await single.query('BEGIN');
    await expect(single.query('SAVEPOINT here')).rejects.toMatchObject({ code: '25P01' });
  });

  it('end when the database is closed, after what they do', async () => {
    const inside = newSignal();
    const release = newSignal();
    const run = inbox.run('group', 'm1', async () => {
      inside.give();
      await release.given;
    });
    await inside.given;
    const closed = database.close();
    release.give();
    await closed;
    expect(await run).toMatchObject({ duplicate: false });
    await expect(database.query('SELECT 1')).rejects.toMatchObject({ code: 'CLOSED' });
    await database.close();
  });

  it('are cut when the database is closed and what they do does not end', async () => {
    const impatient = new PgDatabase({ pool: new Pool({ connectionString: server.url }), ...UNLIMITED });
    const inside = newSignal();
    const run = impatient.transaction(async (transaction) => {
      inside.give();
      await closed;
      await transaction.query('SELECT 1');
    });
    const closed = inside.given.then(() => impatient.close());
    await expect(run).rejects.toMatchObject({ code: 'DATABASE_UNREACHABLE', message: expect.stringContaining('closed') });
  });
});

describe('a database that is not there', () => {
  const failure = async (promise: Promise<unknown>): Promise<Error> => {
    const [result] = await Promise.allSettled([promise]);
    if (result.status === 'fulfilled') throw new Error('It did not fail.');
    return result.reason as Error;
  };

  it('is reported with where it was looked for, and without the password', async () => {
    const port = await freePort();
    const error = await failure(connectDatabase({ url: `postgres://someone:${PASSWORD}@127.0.0.1:${port}/shop` }));
    expect(error).toMatchObject({ code: 'DATABASE_UNREACHABLE', retryable: true });
    expect(error.message).toContain(`127.0.0.1:${port}/shop`);
    expect(error.message).toContain('Nothing listens there');
    expect(inspect(error, { depth: null, showHidden: true })).not.toContain(PASSWORD);
  });

  it('is reported when the host is unknown', async () => {
    const error = await failure(connectDatabase({ url: 'postgres://nowhere.invalid/shop' }));
    expect(error).toMatchObject({ code: 'DATABASE_UNREACHABLE', message: expect.stringContaining('nowhere.invalid') });
  });

  it('is reported when something answers that is no database', async () => {
    const other = createServer((socket) => socket.on('error', () => undefined).end('-ERR unknown command\r\n')).listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    expect(await failure(connectDatabase({ url: `postgres://127.0.0.1:${port}/shop` }))).toMatchObject({ code: 'DATABASE_UNREACHABLE' });
    other.close();
  });

  it('is reported when nothing is ever answered', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    expect(await failure(connectDatabase({ url: `postgres://127.0.0.1:${port}/shop` }))).toMatchObject({
      code: 'DATABASE_UNREACHABLE',
      retryable: true,
    });
    silent.close();
  });

  it('is reported by findDatabase when DATABASE_URL leads there, and nothing else is tried', async () => {
    const port = await freePort();
    const env = { DATABASE_URL: `postgres://someone:${PASSWORD}@127.0.0.1:${port}/shop` };
    expect(await failure(findDatabase({ env }))).toMatchObject({ code: 'DATABASE_UNREACHABLE' });
  });

  it.each([
    ['no URL', 'localhost:5432'],
    ['the URL of something else', 'redis://127.0.0.1:6379'],
    ['a list', ['postgres://127.0.0.1:1/shop']],
    ['nothing', undefined],
    ['a password that hides the host', `postgres://someone:${PASSWORD}/#@127.0.0.1:x/shop`],
    ['a raw # in the password', `postgres://someone:12#${PASSWORD}@127.0.0.1:1/shop`],
    ['a limit that is no number', `postgres://someone:${PASSWORD}@127.0.0.1:1/shop?statement_timeout=soon`],
    ['a certificate that is not there', `postgres://someone:${PASSWORD}@127.0.0.1:1/shop?sslrootcert=/nowhere.pem`],
  ])('is refused as an option when the URL is %s', async (_, url) => {
    const error = await failure(connectDatabase({ url: url as string }));
    expect(error).toMatchObject({ code: 'INVALID_OPTIONS' });
    expect(inspect(error, { depth: null, showHidden: true })).not.toContain(PASSWORD);
  });

  it('is told where the URL comes from and what it looks like, with nothing in it that a log would hide', async () => {
    const { message } = await failure(connectDatabase({ url: 'mysql://127.0.0.1/shop' }));
    expect(message).toContain('The database is not configured well.');
    expect(message).toContain('url (DATABASE_URL, or the option database) must be of the form postgres://host:port/database, ');
  });

  it.each([0, 1.5, '10', 1_001])('is refused with %s connections', async (connections) => {
    const url = 'postgres://127.0.0.1:1/shop';
    expect(await failure(connectDatabase({ url, connections: connections as number }))).toMatchObject({ code: 'INVALID_OPTIONS' });
  });
});
