import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type EventMap, listen, OwnerFencedError, type OwningSubscriber, type SqlTransaction } from '@millrace/core';
import { createTables, SqlInbox, type SqlSource } from '@millrace/outbox';
import {
  expectNoChildren, hasMariadb, hasPostgres, startTestMariadb, startTestPostgres, type TestSqlServer, TypeScriptChild, waitFor,
} from '@millrace/testing';
import { type OpenSource, sourceKinds, writing } from './fixtures/test-sources.js';
import { newSignal } from './signal.js';

const WORKER = new URL('./fixtures/source-worker.ts', import.meta.url);
const isHere = { PostgreSQL: hasPostgres(), MariaDB: hasMariadb(), PGlite: true };
const servers: Partial<Record<string, TestSqlServer>> = {};

for (const [server, isInstalled] of Object.entries(isHere)) {
  if (!isInstalled) console.warn(`${server} is not installed here: libraries were not tested on it.`);
}

beforeAll(async () => {
  if (isHere.PostgreSQL) servers.PostgreSQL = await startTestPostgres('fsync=off');
  if (isHere.MariaDB) servers.MariaDB = await startTestMariadb('--innodb-lock-wait-timeout=20', '--innodb-flush-log-at-trx-commit=0');
}, 240_000);
afterAll(() => Promise.all(Object.values(servers).map((server) => server!.stop())));

const owner = (member: string, epoch: number, partition = 0): OwningSubscriber => ({ name: 'topic/group', partition, owner: { member, epoch } });
const refused = (knownEpoch: number) => ({ name: 'OwnerFencedError', code: 'OWNER_FENCED', knownEpoch });

describe.each(sourceKinds.filter(({ server }) => isHere[server]))('the inbox in a transaction of $library on $server', (kind) => {
  const isPostgres = kind.server !== 'MariaDB';
  /** PGlite has one transaction at a time, in one process. */
  const together = kind.server === 'PGlite' ? it.skip : it;
  const inPostgres = isPostgres ? it : it.skip;
  const inMysql = isPostgres ? it.skip : it;
  let opened: OpenSource;
  let source: SqlSource<never>;
  let inbox: SqlInbox;

  const statement = <Row = Record<string, unknown>>(text: string, parameters: unknown[] = []) =>
    source.transaction(async (transaction) => (await source.within(transaction).query<Row>(text, parameters)).rows);
  const write = (what: string) => writing(opened, what);
  const effects = async () => (await statement<{ what: string }>('SELECT what FROM effect ORDER BY what')).map(({ what }) => what);
  const recorded = async () => (await statement('SELECT 1 AS one FROM millrace_inbox')).length;

  /** Resolves when so many transactions wait for a lock. */
  const waiting = (count: number) => {
    const text = isPostgres
      ? "SELECT count(*) AS waiting FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
      : "SELECT variable_value AS waiting FROM information_schema.global_status WHERE variable_name = 'INNODB_ROW_LOCK_CURRENT_WAITS'";
    const areWaiting = async () => Number((await statement<{ waiting: string }>(text))[0]!.waiting) === count;
    return waitFor(areWaiting, { what: `${count} to wait for a lock` });
  };

  const holds: (() => void)[] = [];

  /** A transaction that is open until it is let go, at the end of the test at the latest. */
  async function hold(subscriber: string | OwningSubscriber, id: string) {
    const [begun, held] = [newSignal(), newSignal()];
    const done = inbox.run(subscriber, id, async (transaction) => {
      await write(id)(transaction);
      begun.give();
      await held.given;
    });
    done.catch(() => undefined);
    await Promise.race([begun.given, done]);
    const end = () => held.give();
    holds.push(end);
    return { end, done };
  }

  beforeAll(async () => {
    opened = await kind.open(servers[kind.server]?.url ?? '');
    ({ source } = opened);
    inbox = new SqlInbox({ database: source });
    await statement('DROP TABLE IF EXISTS millrace_inbox, millrace_owner, effect');
    await statement('CREATE TABLE effect (what varchar(200) NOT NULL)');
    await inbox.prepare();
  });
  beforeEach(async () => {
    for (const table of ['effect', 'millrace_inbox', 'millrace_owner']) await statement(`DELETE FROM ${table}`);
  });
  afterEach(async () => {
    for (const end of holds.splice(0)) end();
    await expectNoChildren(Object.values(servers).map((server) => server!.pid));
  });
  afterAll(() => opened?.close());

  it('handles a message once, and returns the value of its handler', async () => {
    const work = async (transaction: SqlTransaction) => {
      await write('a')(transaction);
      await transaction.query('INSERT INTO effect VALUES ($1)', ['b']);
      return 42;
    };
    expect(await inbox.run('group', 'm1', work)).toEqual({ duplicate: false, value: 42 });
    expect(await inbox.run('group', 'm1', work)).toEqual({ duplicate: true });
    expect(await inbox.run('other', 'm1', write('c'))).toMatchObject({ duplicate: false });
    expect(await effects()).toEqual(['a', 'b', 'c']);
  });

  it('undoes effects and the record together when the handler throws, and its error comes out as it is', async () => {
    const failure = new Error('not today');
    const work = async (transaction: SqlTransaction) => {
      await write('a')(transaction);
      await transaction.query('INSERT INTO effect VALUES ($1)', ['b']);
      throw failure;
    };
    await expect(inbox.run('group', 'm1', work)).rejects.toBe(failure);
    expect([await effects(), await recorded()]).toEqual([[], 0]);
    expect(await inbox.run('group', 'm1', write('c'))).toMatchObject({ duplicate: false });
    expect([await effects(), await recorded()]).toEqual([['c'], 1]);
  });

  it('has many at the same message take effect once', async () => {
    const results = await Promise.all(Array.from({ length: 30 }, () => inbox.run('group', 'm1', write('a'))));
    expect(results.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
    expect(await effects()).toEqual(['a']);
  });

  together('has a second one wait for the outcome of the first', async () => {
    const first = await hold('group', 'm1');
    const second = inbox.run('group', 'm1', write('second'));
    await waiting(1);
    first.end();
    expect([await first.done, await second]).toMatchObject([{ duplicate: false }, { duplicate: true }]);
    expect(await effects()).toEqual(['m1']);
  });

  it('has one of those who waited handle it when the first one fails', async () => {
    let failed = false;
    const work = async (transaction: SqlTransaction) => {
      await write('a')(transaction);
      if (failed) return;
      failed = true;
      throw new Error('the first one fails');
    };
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => inbox.run('group', 'm1', work)));
    const fulfilled = results.filter((result) => result.status === 'fulfilled').map(({ value }) => value.duplicate);
    expect(fulfilled.sort()).toEqual([false, ...Array.from({ length: 8 }, () => true)]);
    expect(await effects()).toEqual(['a']);
  });

  together('hands on the message of a process that was killed in the middle of it', async () => {
    const worker = new TypeScriptChild(WORKER, { args: [kind.library, kind.server, servers[kind.server]!.url] });
    try {
      expect(await worker.line()).toBe('inside');
      const next = inbox.run('group', 'm1', write('of the next'));
      await waiting(1);
      await worker.kill('SIGKILL');
      expect(await next).toMatchObject({ duplicate: false });
      expect(await effects()).toEqual(['of the next']);
    } finally {
      await worker.kill('SIGKILL');
    }
  });

  inPostgres('takes no handler for a success that goes on after a failed statement', async () => {
    const run = inbox.run('group', 'm1', async (transaction) => {
      await write('a')(transaction);
      await expect(transaction.query('SELECT 1 / 0')).rejects.toThrow();
    });
    await expect(run).rejects.toMatchObject({ code: 'DATABASE_FAILED', message: expect.stringContaining('went on as if it had not') });
    expect([await effects(), await recorded()]).toEqual([[], 0]);
  });

  inPostgres('takes no handler for a success that has ended the transaction', async () => {
    const run = inbox.run('group', 'm1', (transaction) => transaction.query('ROLLBACK'));
    const message = expect.stringMatching(/ended (before the handler|the transaction)/);
    await expect(run).rejects.toMatchObject({ code: 'DATABASE_FAILED', message });
    expect(await recorded()).toBe(0);
  });

  inMysql('takes no handler for a success after a statement that commits by itself', async () => {
    const run = inbox.run('group', 'm1', (transaction) => transaction.query('CREATE TABLE IF NOT EXISTS odd (id int)'));
    await expect(run).rejects.toMatchObject({ code: 'DATABASE_FAILED', message: expect.stringContaining('ended before the handler') });
  });

  inMysql('takes no handler for a success that goes on after a deadlock', async () => {
    const [one, other] = [newSignal(), newSignal()];
    const caught: unknown[] = [];
    const crossing = (id: string, { mine, theirs, first, second }: Record<'mine' | 'theirs', ReturnType<typeof newSignal>> & Record<'first' | 'second', string>) =>
      inbox.run('group', id, async (transaction) => {
        await transaction.query('UPDATE effect SET what = $1 WHERE what = $1', [first]);
        mine.give();
        await theirs.given;
        await transaction.query('UPDATE effect SET what = $1 WHERE what = $1', [second]).catch((error: unknown) => caught.push(error));
      });
    await statement('CREATE OR REPLACE TABLE effect (what varchar(200) NOT NULL PRIMARY KEY)');
    await statement("INSERT INTO effect VALUES ('x'), ('y')");
    const runs = await Promise.allSettled([
      crossing('m1', { mine: one, theirs: other, first: 'x', second: 'y' }),
      crossing('m2', { mine: other, theirs: one, first: 'y', second: 'x' }),
    ]);
    expect(caught).toHaveLength(1);
    expect(runs.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await recorded()).toBe(1);
    await statement('CREATE OR REPLACE TABLE effect (what varchar(200) NOT NULL)');
  });

  it('lets nothing through after the handler', async () => {
    let kept: SqlTransaction | undefined;
    await inbox.run('group', 'm1', async (transaction) => {
      kept = transaction;
      await write('a')(transaction);
    });
    await expect((async () => write('late')(kept!))()).rejects.toThrow();
    await expect(kept!.query("INSERT INTO effect VALUES ('late')")).rejects.toMatchObject({ code: 'CLOSED' });
    expect(await effects()).toEqual(['a']);
  });

  it('takes parameters in any order, more than once, and of any text', async () => {
    await inbox.run('group', 'm1', async (transaction) => {
      const cast = (name: string) => (isPostgres ? `${name}::text` : `CAST(${name} AS CHAR)`);
      const text = `SELECT ${cast('$2')} AS b, ${cast('$1')} AS a, ${cast('$2')} AS c, ${cast('$3')} AS d, '$1 -- ''' AS e -- $1`;
      const { rows, rowCount } = await transaction.query(text, ["it's \\ a? $2", 'żółć 🎉', null]);
      expect(rows.map((row) => ({ ...(row as object) }))).toEqual([{ a: "it's \\ a? $2", b: 'żółć 🎉', c: 'żółć 🎉', d: null, e: "$1 -- '" }]);
      expect(rowCount).toBe(1);
      expect(await transaction.query("INSERT INTO effect VALUES ('a'), ('b')")).toMatchObject({ rowCount: 2 });
      expect(await transaction.query('UPDATE effect SET what = $1', ['c'])).toMatchObject({ rows: [], rowCount: 2 });
      expect(await transaction.query('DELETE FROM effect WHERE what = $1', ['nothing'])).toMatchObject({ rowCount: 0 });
    });
  });

  describe('and an owner of a partition', () => {
    const known = async () => {
      const member = isPostgres ? 'member' : 'CONVERT(member USING utf8mb4)';
      const rows = await statement<{ epoch: number | string; name: string }>(`SELECT epoch, ${member} AS name FROM millrace_owner`);
      return rows.map(({ epoch, name }) => [name, Number(epoch)]);
    };

    it('is recorded with its first message, and refused under an epoch below the known one', async () => {
      expect(await inbox.run(owner('b', 9), 'm1', write('m1'))).toMatchObject({ duplicate: false });
      expect(await inbox.run(owner('b', 9), 'm1', write('again'))).toEqual({ duplicate: true });
      const late = inbox.run(owner('a', 7), 'm2', write('late'));
      await expect(late).rejects.toBeInstanceOf(OwnerFencedError);
      await expect(late).rejects.toMatchObject(refused(9));
      await expect(inbox.run(owner('a', 9), 'm2', write('late'))).rejects.toMatchObject(refused(9));
      expect(await inbox.run(owner('b', 10), 'm1', write('again'))).toEqual({ duplicate: true });
      expect([await effects(), await known()]).toEqual([['m1'], [['b', 10]]]);
    });

    together('has its messages handled side by side, from the first one on', async () => {
      await inbox.run(owner('a', 1), 'before', write('before'));
      const all = newSignal();
      let inside = 0;
      const work = async () => {
        inside += 1;
        if (inside === 6) all.give();
        await all.given;
      };
      await Promise.all(Array.from({ length: 6 }, (_, index) => inbox.run(owner('b', 2), `m${index}`, work)));
      expect(await known()).toEqual([['b', 2]]);
    });

    together('begins when the transactions of the owner before have ended, and sees all of them', async () => {
      const [one, other] = [await hold(owner('a', 1), 'a1'), await hold(owner('a', 1), 'a2')];
      let hasBegun = false;
      const next = inbox.run(owner('b', 2), 'b1', async (transaction) => {
        hasBegun = true;
        return (await transaction.query('SELECT what FROM effect')).rowCount;
      });
      await waiting(1);
      one.end();
      await one.done;
      expect(hasBegun).toBe(false);
      other.end();
      expect(await next).toEqual({ duplicate: false, value: 2 });
      await expect(inbox.run(owner('a', 1), 'a3', write('late'))).rejects.toMatchObject(refused(2));
    });

    it('takes effect before all owners above it, or not at all, in whatever order they come', async () => {
      const epochs = Array.from({ length: 60 }, (_, index) => ((index * 7) % 12) + 1 + Math.floor(index / 15));
      const turns: number[] = [];
      const runs = await Promise.allSettled(epochs.map((epoch, index) =>
        inbox.run(owner(`m${epoch}`, epoch), `m${index}`, async (transaction) => {
          await write(`${index}`)(transaction);
          turns.push(epoch);
        })));
      const reasons = runs.flatMap((run) => (run.status === 'rejected' ? [run.reason as unknown] : []));
      for (const reason of reasons) expect(reason).toBeInstanceOf(OwnerFencedError);
      expect(turns).toEqual(turns.toSorted((a, b) => a - b));
      expect([turns.length + reasons.length, turns.at(-1)]).toEqual([60, Math.max(...epochs)]);
      expect(await effects()).toHaveLength(turns.length);
    });
  });

  describe('prepare', () => {
    afterAll(async () => {
      await statement('DROP TABLE IF EXISTS millrace_inbox, millrace_owner');
      await inbox.prepare();
    });

    it('makes its tables once when many do so at the same time, and keeps what is there', async () => {
      await statement('DROP TABLE millrace_owner');
      await inbox.run('group', 'm1', write('a'));
      await Promise.all(Array.from({ length: 8 }, () => new SqlInbox({ database: source }).prepare()));
      expect(await inbox.run('group', 'm1', write('b'))).toEqual({ duplicate: true });
      expect(await inbox.run(owner('a', 1), 'm2', write('c'))).toMatchObject({ duplicate: false });
    });

    it('names the file of SQL for the tables that it may not make', async () => {
      await statement('DROP TABLE millrace_owner');
      const careful = new SqlInbox({ database: source, createTables: false });
      const dialect = isPostgres ? 'postgres' : 'mysql';
      await expect(careful.prepare()).rejects.toMatchObject({
        code: 'DATABASE_FAILED',
        retryable: false,
        message: expect.stringMatching(`no table millrace_owner.*migrations/${dialect}/0001_inbox.sql`),
      });
      await createTables(source);
      await careful.prepare();
      await expect(inbox.run(owner('a', 1), 'm1', write('a'))).resolves.toMatchObject({ duplicate: false });
    });

    it('makes tables of other names, in another schema', async () => {
      await statement(isPostgres ? 'DROP SCHEMA IF EXISTS elsewhere CASCADE' : 'DROP DATABASE IF EXISTS elsewhere');
      await statement('CREATE SCHEMA elsewhere');
      const place = { table: 'handled', ownerTable: 'owned', schema: 'elsewhere' };
      const other = new SqlInbox({ database: source, place });
      await other.prepare();
      await other.prepare();
      expect(await other.run(owner('a', 1), 'm1', write('a'))).toMatchObject({ duplicate: false });
      expect(await other.run(owner('a', 1), 'm1', write('a'))).toEqual({ duplicate: true });
      expect([await recorded(), (await statement('SELECT 1 AS one FROM elsewhere.handled')).length]).toEqual([0, 1]);
    });

    it('is asked for when it was forgotten', async () => {
      await statement('DROP TABLE millrace_inbox');
      const text = expect.stringMatching(/was prepare\(\) called.*(42P01|ER_NO_SUCH_TABLE)/);
      await expect(inbox.run('group', 'm1', write('a'))).rejects.toMatchObject({ code: 'DATABASE_FAILED', retryable: false, message: text });
    });
  });

  it('purges what is older than it shall keep, page by page, beside others that do so', async () => {
    const failures: EventMap['loop-failed'][] = [];
    const stopListening = listen('loop-failed', (failure) => failures.push(failure));
    const old = isPostgres ? "now() - interval '8 days'" : 'UTC_TIMESTAMP(3) - INTERVAL 8 DAY';
    await inbox.run('group', 'young', write('a'));
    for (let page = 0; page < 3; page += 1) {
      const values = Array.from({ length: 400 }, (_, index) => `('group', 'm${page * 400 + index}', ${old})`);
      await statement(`INSERT INTO millrace_inbox (subscriber, message_id, handled_at) VALUES ${values.join(', ')}`);
    }
    const inboxes = [inbox, new SqlInbox({ database: source })];
    for (const each of inboxes) each.start();
    await waitFor(async () => (await recorded()) === 1, { what: 'the old rows to be deleted' });
    await Promise.all(inboxes.map((each) => each.stop()));
    stopListening();
    expect(failures).toEqual([]);
    expect(await inbox.run('group', 'young', write('b'))).toEqual({ duplicate: true });
  });

  it('tells how many transactions its library has at once', () => {
    expect(source.connections).toBe(kind.server === 'PGlite' && kind.library !== 'Millrace' ? 1 : 12);
  });
});
