import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type EventMap, listen, type SqlTransaction } from '@millrace/core';
import { type SqlDatabase, SqlInbox } from '@millrace/outbox';
import { waitFor } from '@millrace/testing';
import { newSignal } from './signal.js';
import { databaseKinds, effects, type TestDatabase } from './test-databases.js';

const WEEK_MS = 7 * 86_400_000;

describe.each(databaseKinds)('the inbox in $kind', ({ start }) => {
  let server: TestDatabase;
  let database: SqlDatabase;
  let inbox: SqlInbox;

  const write = (what: string) => (transaction: SqlTransaction) => transaction.query('INSERT INTO effect VALUES ($1)', [what]);
  const recorded = async () => (await database.query('SELECT message_id FROM millrace_inbox')).rows.length;

  beforeAll(async () => {
    server = await start();
    ({ database, inbox } = await server.inbox());
  });
  beforeEach(async () => {
    await database.query('TRUNCATE effect, millrace_inbox');
  });
  afterAll(() => server.stop());

  describe('a message', () => {
    it.each([
      ['subscriber', '', 'm1'],
      ['subscriber', ['group'], 'm1'],
      ['subscriber', 'group\0', 'm1'],
      ['message id', 'group', 'é'.repeat(513)],
      ['message id', 'group', { id: 'm1' }],
      ['message id', 'group', undefined],
    ])('is refused with a bad %s', async (what, subscriber, id) => {
      const run = inbox.run(subscriber as string, id as string, write('a'));
      await expect(run).rejects.toMatchObject({ code: 'INVALID_INPUT', message: expect.stringContaining(`cannot be a ${what}`) });
      expect(await effects(database)).toEqual([]);
    });

    it('may have names of the full length', async () => {
      const names = ['s', 'm'].map((first) => first + 'abcdefghijklmnopqrstuvwxyz0123456789'.repeat(29).slice(1, 1_024));
      expect(await inbox.run(names[0]!, names[1]!, write('a'))).toMatchObject({ duplicate: false });
    });
  });

  describe('a handler that fails', () => {
    it('throws the SQL error of the driver', async () => {
      const run = inbox.run('group', 'm1', (transaction) => transaction.query('SELECT 1 / 0'));
      await expect(run).rejects.toMatchObject({ name: 'error', code: '22012' });
      expect(await recorded()).toBe(0);
    });

    it('may undo a part by a savepoint', async () => {
      await inbox.run('group', 'm1', async (transaction) => {
        await write('a')(transaction);
        await transaction.query('SAVEPOINT part');
        await expect(transaction.query('SELECT 1 / 0')).rejects.toMatchObject({ code: '22012' });
        await transaction.query('ROLLBACK TO SAVEPOINT part');
        await write('b')(transaction);
      });
      expect(await effects(database)).toEqual(['a', 'b']);
    });

    it('throws what only the commit finds out', async () => {
      await database.query('CREATE TABLE parent (id int PRIMARY KEY)');
      await database.query('CREATE TABLE child (id int REFERENCES parent DEFERRABLE INITIALLY DEFERRED)');
      const run = inbox.run('group', 'm1', (transaction) => transaction.query('INSERT INTO child VALUES (7)'));
      await expect(run).rejects.toMatchObject({ code: '23503' });
      expect(await recorded()).toBe(0);
    });
  });

  describe('the transaction of a handler', () => {
    it.each(['COMMIT', 'ROLLBACK', 'SELECT 1; COMMIT'])('may not be ended by %s', async (statement) => {
      const run = inbox.run('group', 'm1', async (transaction) => {
        await transaction.query(statement);
        await transaction.query('BEGIN');
        await write('outside')(transaction);
      });
      await expect(run).rejects.toMatchObject({ code: 'DATABASE_FAILED', message: expect.stringContaining('ended the transaction') });
      expect(await effects(database)).toEqual([]);
    });

    it('may not be ended by a COMMIT that fails', async () => {
      await database.query('CREATE TABLE odd (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)');
      const run = inbox.run('group', 'm1', async (transaction) => {
        await transaction.query('INSERT INTO odd VALUES (1), (1)');
        await expect(transaction.query('COMMIT')).rejects.toMatchObject({ code: '23505' });
      });
      await expect(run).rejects.toMatchObject({ code: 'DATABASE_FAILED', message: expect.stringContaining('ended the transaction') });
      expect(await recorded()).toBe(0);
    });

    it('commits statements that the handler did not wait for', async () => {
      await inbox.run('group', 'm1', async (transaction) => {
        for (const what of ['a', 'b', 'c']) void write(what)(transaction);
      });
      expect(await effects(database)).toEqual(['a', 'b', 'c']);
    });

    it('runs statements in the order of the calls', async () => {
      await inbox.run('group', 'm1', async (transaction) => {
        await Promise.all([
          transaction.query('SELECT pg_sleep(0.05)'),
          write('a')(transaction),
          transaction.query('UPDATE effect SET what = $1', ['b']),
        ]);
      });
      expect(await effects(database)).toEqual(['b']);
    });

    it.each([
      ['an object', { text: 'SELECT 1' }, []],
      ['nothing', '', []],
      ['no list of parameters', 'SELECT $1', 'a'],
    ])('refuses %s for a statement', async (_, text, parameters) => {
      const run = inbox.run('group', 'm1', (transaction) => transaction.query(text as string, parameters as unknown[]));
      await expect(run).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    });
  });

  describe('the purge', () => {
    const record = (ageMs: number, count: number) =>
      database.query(
        `INSERT INTO millrace_inbox SELECT 'group', $1 || '-' || n, now() - make_interval(secs => $2)
         FROM generate_series(1, $3::int) n`,
        [`age${ageMs}`, ageMs / 1_000, count],
      );

    it('keeps rows as long as it is told', async () => {
      await record(120_000, 3);
      await record(30_000, 4);
      const impatient = new SqlInbox({ database, keepMs: 60_000 });
      impatient.start();
      await waitFor(async () => (await recorded()) === 4, { what: 'the old rows to be deleted' });
      await impatient.stop();
    });

    it('tells when it fails, goes on, and stops and starts again', async () => {
      const failed = new Promise<EventMap['loop-failed']>((resolve) => {
        const stopListening = listen('loop-failed', (failure) => {
          stopListening();
          resolve(failure);
        });
      });
      await database.query('ALTER TABLE millrace_inbox RENAME TO elsewhere');
      inbox.start();
      expect(await failed).toMatchObject({ loop: 'inbox-purge', failures: 1, error: { code: 'DATABASE_FAILED' } });
      await database.query('ALTER TABLE elsewhere RENAME TO millrace_inbox');
      await inbox.stop();
      await record(WEEK_MS + 60_000, 3);
      inbox.start();
      await waitFor(async () => (await recorded()) === 0, { what: 'the old rows to be deleted' });
      await inbox.stop();
      await inbox.stop();
    });
  });

  describe('more messages than connections', () => {
    /** The inbox of a database with so many connections, and how many transactions it has at once. */
    async function narrow(connections: number, waitMs?: number): Promise<{ narrowInbox: SqlInbox; most: () => number }> {
      const real = await server.connect({ connections });
      let [now, most] = [0, 0];
      const begin = real.transaction.bind(real);
      const transaction: SqlDatabase['transaction'] = async (work) => {
        now += 1;
        most = Math.max(most, now);
        return begin(work).finally(() => (now -= 1));
      };
      const options = { database: Object.assign(real, { transaction }), ...(waitMs === undefined ? {} : { waitMs }) };
      return { narrowInbox: new SqlInbox(options), most: () => most };
    }

    it.each([[1, 1], [2, 1], [4, 3]])('on %i connections hold %i at the most, and each is handled in its turn', async (connections, expected) => {
      const { narrowInbox, most } = await narrow(connections);
      const ids = Array.from({ length: 20 }, (_, index) => `m${index}`);
      const results = await Promise.all(ids.map((id) => narrowInbox.run('group', id, write(id))));
      expect(results.every(({ duplicate }) => !duplicate)).toBe(true);
      expect(most()).toBe(expected);
    });

    it('do not wait for ever: one whose turn does not come is told so, and may be tried again', async () => {
      const { narrowInbox } = await narrow(2, 50);
      const [begun, held] = [newSignal(), newSignal()];
      const first = narrowInbox.run('group', 'm1', async () => {
        begun.give();
        await held.given;
      });
      await begun.given;
      const late = { code: 'BACK_PRESSURE', retryable: true, message: expect.stringContaining('this one was not begun') };
      await expect(narrowInbox.run('group', 'm2', write('late'))).rejects.toMatchObject(late);
      held.give();
      await first;
      expect(await narrowInbox.run('group', 'm2', write('late'))).toMatchObject({ duplicate: false });
      expect(await effects(database)).toEqual(['late']);
    });
  });

  it.each([
    ['waitMs', { waitMs: 0 }],
    ['keepMs', { keepMs: 59_999 }],
    ['keepMs', { keepMs: '7d' }],
    ['keepMs', { keep: 60_000 }],
    ['database', { database: 'postgres://localhost' }],
  ])('refuses a wrong %s', (name, options) => {
    expect(() => new SqlInbox({ database, ...(options as object) })).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTIONS', message: expect.stringContaining(name) }),
    );
  });
});
