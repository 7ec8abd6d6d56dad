import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { connectDatabase, findDatabase, type RunningDatabase, type SqlDatabase } from '@millrace/outbox';
import { TypeScriptChild } from '@millrace/testing';
import { Client } from 'pg';
import { EmbeddedDatabase } from '../src/embedded/embedded-database.js';
import { query, SYNC } from '../src/embedded/protocol.js';
import { SharedSession } from '../src/embedded/shared-session.js';
import { message, RawClient } from './fixtures/raw-client.js';

const PARSE_ONE = message('P', '\0SELECT 1\0\0\0');

describe('the embedded database', () => {
  let running: RunningDatabase;
  let database: SqlDatabase;
  const clients: Client[] = [];

  const connect = async () => {
    const client = new Client({ connectionString: running.url });
    client.on('error', () => undefined);
    clients.push(client);
    await client.connect();
    return client;
  };
  const connectMany = (count: number) => Promise.all(Array.from({ length: count }, connect));
  const answers = async () => (await database.query<{ one: number }>('SELECT 1 AS one')).rows[0]?.one;

  beforeAll(async () => {
    running = await findDatabase({ env: {} });
    database = await connectDatabase({ url: running.url });
    await database.query('CREATE TABLE number (n int)');
  });
  afterEach(() => Promise.all(clients.splice(0).map((client) => client.end())));
  afterAll(async () => {
    await database.close();
    await running.stop();
  });

  it('is found when DATABASE_URL is not set', () => {
    expect(running.source).toBe('PGlite');
    expect(running.url).toMatch(/^postgres:\/\/postgres:[0-9a-f]{48}@127\.0\.0\.1:\d+\/postgres\?/);
  });

  it('is not used when DATABASE_URL is set', async () => {
    const found = await findDatabase({ env: { DATABASE_URL: running.url } });
    expect(found).toMatchObject({ url: running.url, source: 'DATABASE_URL' });
    await found.stop();
    expect(await answers()).toBe(1);
  });

  it('lets one transaction in at a time', async () => {
    await database.query('TRUNCATE number; INSERT INTO number VALUES (0)');
    const increment = async (client: Client) => {
      for (let round = 0; round < 10; round += 1) {
        await client.query('BEGIN');
        const { rows } = await client.query<{ n: number }>('SELECT n FROM number WHERE $1', [true]);
        await client.query('UPDATE number SET n = $1', [rows[0]!.n + 1]);
        await client.query(round % 2 === 0 ? 'COMMIT' : 'ROLLBACK');
      }
    };
    await Promise.all((await connectMany(12)).map(increment));
    expect((await database.query('SELECT n FROM number')).rows).toEqual([{ n: 60 }]);
  });

  it('keeps statements with long parameters apart', async () => {
    const long = 'x'.repeat(500_000);
    const ask = async (client: Client, number: number) => {
      for (let round = 0; round < 10; round += 1) {
        const { rows } = await client.query(`SELECT length($1) AS length, ${number} AS number, $2::int AS round`, [long, round]);
        expect(rows).toEqual([{ length: long.length, number, round }]);
      }
    };
    await Promise.all((await connectMany(8)).map(ask));
  });

  it('shows no connection what another one has set, prepared or made for itself', async () => {
    const [one, other] = (await connectMany(2)) as [Client, Client];
    await one.query(`SET search_path = elsewhere`);
    await one.query({ name: 'mine', text: 'SELECT $1::int AS mine', values: [1] });
    await one.query('CREATE TEMPORARY TABLE own (n int)');
    await one.query('SELECT pg_advisory_lock(1)');
    expect((await other.query('SHOW search_path')).rows).toEqual([{ search_path: 'public' }]);
    expect((await other.query({ name: 'mine', text: 'SELECT $1::int AS other', values: [2] })).rows).toEqual([{ other: 2 }]);
    await expect(other.query('SELECT * FROM own')).rejects.toMatchObject({ code: '42P01' });
    expect((await other.query('SELECT count(*)::int AS locks FROM pg_locks WHERE locktype = $1', ['advisory'])).rows).toEqual([{ locks: 0 }]);
  });

  it('reads a result in portions, and lets nobody in between', async () => {
    const [one, other] = (await connectMany(2)) as [Client, Client];
    // `rows` makes the driver fetch by portions; it is not among its types.
    const portions = { text: 'SELECT * FROM generate_series(1, 5) n WHERE $1', values: [true], rows: 2 };
    const results = await Promise.all([one.query(portions), other.query('SELECT $1::int AS n', [7])]);
    expect(results.map(({ rows }) => rows.map(({ n }: { n: number }) => n))).toEqual([[1, 2, 3, 4, 5], [7]]);
  });

  it('goes on after errors, inside a transaction and outside', async () => {
    const client = await connect();
    await expect(client.query('SELECT 1 / $1', [0])).rejects.toMatchObject({ code: '22012' });
    await client.query('BEGIN');
    await expect(client.query('SELECT 1 / 0')).rejects.toMatchObject({ code: '22012' });
    await expect(client.query('SELECT 1')).rejects.toMatchObject({ code: '25P02' });
    expect((await client.query('COMMIT')).command).toBe('ROLLBACK');
    expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });

  it.each(['COPY number FROM STDIN', 'COPY number FROM STDIN; COPY number FROM STDIN'])('refuses %s', async (copy) => {
    const client = await connect();
    await expect(client.query(copy)).rejects.toMatchObject({ code: '57014' });
    await expect(client.query({ text: 'COPY number FROM STDIN', name: 'extended' })).rejects.toMatchObject({ code: '57014' });
    expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
  });

  it.each(['SET idle_session_timeout = 50', 'SET LOCAL IDLE_IN_TRANSACTION_SESSION_TIMEOUT = 50', 'SET transaction_timeout = 50'])(
    'refuses %s, which would hang the process',
    async (statement) => {
      const client = await connect();
      await expect(client.query({ text: statement, name: 'extended' })).rejects.toMatchObject({ code: '0A000' });
      await client.query('BEGIN');
      await expect(client.query(statement)).rejects.toMatchObject({ code: '0A000' });
      await client.query('ROLLBACK');
      expect((await client.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }]);
    },
  );

  it('fails a statement that PGlite does not answer, and goes on', async () => {
    await expect(database.query(`SELECT ${'1+'.repeat(200_000)}1`)).rejects.toMatchObject({ code: 'XX000' });
    expect(await answers()).toBe(1);
  });

  describe('a client that vanishes', () => {
    it.each([
      ['inside a transaction', [query('BEGIN; INSERT INTO number VALUES (99)')], 'INSERT'],
      ['inside a failed transaction', [query('BEGIN; INSERT INTO number VALUES (99)'), query('SELECT 1 / 0')], 'division'],
      ['in the middle of a statement', [PARSE_ONE, message('H')], '1'],
      ['in the middle of a statement in error', [message('P', '\0SELEKT\0\0\0'), message('H')], 'syntax'],
    ])('%s holds nobody up and leaves nothing behind', async (_, messages, reply) => {
      const client = await RawClient.login(running.url);
      client.send(...messages);
      await client.received(reply);
      const waiting = answers();
      client.socket.resetAndDestroy();
      expect(await waiting).toBe(1);
      expect((await database.query('SELECT n FROM number WHERE n = 99')).rows).toEqual([]);
    });

    it('while it waits for its turn has no transaction begun', async () => {
      const holder = await connect();
      await holder.query('BEGIN');
      const client = await RawClient.login(running.url);
      client.send(query('BEGIN; INSERT INTO number VALUES (99)'));
      client.socket.destroy();
      const waiting = answers();
      await holder.query('COMMIT');
      expect(await waiting).toBe(1);
      expect((await database.query('SELECT n FROM number WHERE n = 99')).rows).toEqual([]);
    });

    it('after half a message is forgotten', async () => {
      const client = await RawClient.login(running.url);
      client.send(PARSE_ONE, query('SELECT 1').subarray(0, 7));
      client.socket.resetAndDestroy();
      expect(await answers()).toBe(1);
    });
  });

  describe('the start of a connection', () => {
    it.each([80_877_103, 80_877_104])('has encryption declined (%s)', async (code) => {
      const client = await RawClient.connect(running.url);
      const request = Buffer.from([0, 0, 0, 8, 0, 0, 0, 0]);
      request.writeInt32BE(code, 4);
      client.send(request);
      expect(await client.received('N')).toBe('N');
      client.socket.destroy();
    });

    it('fails with a wrong password, which is not worth another try', async () => {
      const url = new URL(running.url);
      url.password = 'wrong';
      await expect(connectDatabase({ url: url.href })).rejects.toMatchObject({
        code: 'DATABASE_UNREACHABLE',
        retryable: false,
        message: expect.stringMatching(/password authentication failed.*Check user and password/),
      });
    });

    it('fails when statements come instead of a password', async () => {
      const client = await RawClient.connect(running.url);
      client.send(Buffer.from([0, 0, 0, 8, 0, 3, 0, 0]), query('INSERT INTO number VALUES (99)'));
      expect(await client.ended()).toContain('C28P01');
    });

    it('fails with another version of the protocol', async () => {
      const client = await RawClient.connect(running.url);
      client.send(Buffer.from([0, 0, 0, 8, 0, 2, 0, 0]));
      expect(await client.ended()).toContain('C0A000');
    });

    it('is the end of it when it asks for a cancellation', async () => {
      const client = await RawClient.connect(running.url);
      client.send(Buffer.from([0, 0, 0, 16, 4, 210, 22, 46, 0, 0, 0, 0, 0, 0, 0, 0]));
      expect(await client.ended()).toBe('');
    });
  });

  it.each([
    ['of an unknown type', message('~')],
    ['of a function call', message('F', '\0\0\0\0')],
    ['of an impossible length', Buffer.from([0x51, 0xff, 0xff, 0xff, 0xff])],
  ])('ends a connection with a message %s', async (_, bytes) => {
    const client = await RawClient.login(running.url);
    client.send(query('BEGIN'), bytes);
    expect(await client.ended()).toContain('C08P01');
    expect(await answers()).toBe(1);
  });

  it('ignores the data of a COPY that was refused, and syncs of nothing', async () => {
    const client = await RawClient.login(running.url);
    client.send(message('d', 'data'), message('c'), message('f', 'why\0'), SYNC, query('SELECT 4711'));
    await client.received('4711');
    client.socket.destroy();
  });
});

describe('an embedded database of its own', () => {
  it('ends a transaction that is left idle', async () => {
    const database = new EmbeddedDatabase(await SharedSession.open(undefined), { password: 'secret', idleMs: 300 });
    await database.listen();
    const idle = await RawClient.login(database.url);
    idle.send(query('CREATE TABLE number (n int)'), query('BEGIN; INSERT INTO number VALUES (99)'));
    await idle.received('INSERT');
    const other = await connectDatabase({ url: database.url });
    expect((await other.query('SELECT n FROM number')).rows).toEqual([]);
    expect(await idle.ended()).toMatch(/C25P03.*left idle for 300 ms/s);
    await other.close();
    await database.stop();
  });

  it('tells everybody when it has crashed', async () => {
    const child = new TypeScriptChild(new URL('./fixtures/crashing-database.ts', import.meta.url));
    expect(await child.line()).toContain('did not answer');
    expect(await child.line()).toMatch(/MillraceError: The connection to the database was lost .*has crashed/);
    expect(await child.line()).toBe('stopped');
    await child.kill();
  });

  it('cuts its clients when it stops, and keeps its data in a folder', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'millrace-outbox-'));
    const dataDir = join(folder, 'data');
    const first = await findDatabase({ env: {}, dataDir });
    const database = await connectDatabase({ url: first.url });
    await database.query('CREATE TABLE number (n int)');
    await database.query('INSERT INTO number VALUES (1)');
    await expect(findDatabase({ env: {}, dataDir })).rejects.toMatchObject({
      code: 'DATABASE_FAILED',
      message: expect.stringContaining('in use by another'),
    });
    const client = await RawClient.login(first.url);
    client.send(query('BEGIN; INSERT INTO number VALUES (2)'));
    await client.received('INSERT');
    await Promise.all([first.stop(), first.stop()]);
    await client.ended();
    await expect(database.query('SELECT 1')).rejects.toMatchObject({ code: 'DATABASE_UNREACHABLE' });
    await database.close();

    // Left over from a process that was killed: none can have this number.
    await writeFile(`${dataDir}.lock`, '2000000000');
    const second = await findDatabase({ env: {}, dataDir });
    const again = await connectDatabase({ url: second.url });
    expect((await again.query('SELECT n FROM number')).rows).toEqual([{ n: 1 }]);
    await again.close();
    await second.stop();
    expect(await readdir(folder)).toEqual(['data']);
    await rm(folder, { recursive: true });
  });

  it('cannot be made of a file', async () => {
    const dataDir = join(import.meta.filename, 'data');
    await expect(findDatabase({ env: {}, dataDir })).rejects.toMatchObject({
      code: 'DATABASE_FAILED',
      message: expect.stringContaining(dataDir),
    });
  });
});
