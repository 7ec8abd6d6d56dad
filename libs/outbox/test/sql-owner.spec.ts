import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { OwnerFencedError, type OwningSubscriber, type SqlTransaction } from '@millrace/core';
import { type SqlDatabase, SqlInbox } from '@millrace/outbox';
import { waitFor } from '@millrace/testing';
import { newSignal } from './signal.js';
import { databaseKinds, effects, type TestDatabase } from './test-databases.js';

const owner = (member: string, epoch: number, partition = 0, name = 'topic/group'): OwningSubscriber => ({
  name,
  partition,
  owner: { member, epoch },
});

interface Held {
  end(): void;
  readonly done: Promise<unknown>;
}

describe.each(databaseKinds)('the owner of a partition, to the inbox in $kind', ({ kind, start }) => {
  /** PGlite has one transaction at a time. */
  const together = kind === 'PGlite' ? it.skip : it;
  let server: TestDatabase;
  let database: SqlDatabase;
  let inbox: SqlInbox;

  const write = (what: string) => (transaction: SqlTransaction) => transaction.query('INSERT INTO effect VALUES ($1)', [what]);
  const known = async () => (await database.query('SELECT partition, epoch::int, member FROM millrace_owner ORDER BY partition')).rows;
  const refused = (knownEpoch: number) => ({ name: 'OwnerFencedError', code: 'OWNER_FENCED', knownEpoch });

  /** A transaction that is open until it is let go. */
  async function open(subscriber: OwningSubscriber, id: string, within = inbox): Promise<Held> {
    const [begun, held] = [newSignal(), newSignal()];
    const done = within.run(subscriber, id, async (transaction) => {
      await write(id)(transaction);
      begun.give();
      await held.given;
    });
    done.catch(() => undefined);
    await Promise.race([begun.given, done]);
    return { end: () => held.give(), done };
  }

  /** A URL with a limit of 200 ms. */
  function withLimit(name: string): string {
    const url = new URL(server.url);
    url.searchParams.set(name, '200');
    return url.href;
  }

  /** Resolves when so many connections wait for a lock. */
  const waiting = (count: number) => {
    const text = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    return waitFor(async () => (await database.query(text)).rowCount === count, { what: `${count} to wait for a lock` });
  };

  beforeAll(async () => {
    server = await start();
    ({ database, inbox } = await server.inbox({ connections: 20 }));
  });
  beforeEach(async () => {
    await database.query('TRUNCATE effect, millrace_inbox, millrace_owner');
  });
  afterAll(() => server.stop());

  it('is recorded with its first message, and each message takes effect once', async () => {
    expect(await inbox.run(owner('a', 3), 'm1', write('m1'))).toMatchObject({ duplicate: false });
    expect(await inbox.run(owner('a', 3), 'm1', write('again'))).toEqual({ duplicate: true });
    expect(await inbox.run(owner('b', 4), 'm1', write('again'))).toEqual({ duplicate: true });
    expect(await inbox.run(owner('b', 4), 'm2', write('m2'))).toMatchObject({ duplicate: false });
    expect([await effects(database), await known()]).toEqual([['m1', 'm2'], [{ partition: 0, epoch: 4, member: 'b' }]]);
  });

  it('is refused under an epoch below the one that the database knows, and its handler does not run', async () => {
    await inbox.run(owner('b', 9), 'm1', write('m1'));
    const late = inbox.run(owner('a', 7), 'm2', write('late'));
    await expect(late).rejects.toBeInstanceOf(OwnerFencedError);
    await expect(late).rejects.toMatchObject({ ...refused(9), retryable: true, message: expect.stringContaining('goes above that epoch') });
    await expect(inbox.run(owner('a', 7), 'm1', write('late'))).rejects.toMatchObject(refused(9));
    expect([await effects(database), await known()]).toEqual([['m1'], [{ partition: 0, epoch: 9, member: 'b' }]]);
    expect(await inbox.run(owner('b', 9), 'm2', write('m2'))).toMatchObject({ duplicate: false });
  });

  it('is refused under the epoch of another owner, whichever of them comes first', async () => {
    await inbox.run(owner('a', 7), 'm1', write('a'));
    await expect(inbox.run(owner('b', 7), 'm2', write('b'))).rejects.toMatchObject(refused(7));
    await inbox.run(owner('b', 8), 'm2', write('b'));
    await expect(inbox.run(owner('a', 7), 'm3', write('late'))).rejects.toMatchObject(refused(8));
    await inbox.run(owner('b', 7, 1), 'm4', write('c'));
    await expect(inbox.run(owner('a', 7, 1), 'm5', write('late'))).rejects.toMatchObject(refused(7));
    expect(await effects(database)).toEqual(['a', 'b', 'c']);
  });

  it('is of no concern to other partitions, other groups, and those that have no owners', async () => {
    await inbox.run(owner('b', 9), 'm1', write('a'));
    await inbox.run(owner('a', 1, 1), 'm2', write('b'));
    await inbox.run(owner('a', 1, 0, 'topic/other'), 'm3', write('c'));
    await inbox.run('topic/group', 'm4', write('d'));
    expect(await effects(database)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('stays known when its first handler fails', async () => {
    await expect(inbox.run(owner('b', 2), 'm1', () => Promise.reject(new Error('not today')))).rejects.toThrow('not today');
    await expect(inbox.run(owner('a', 1), 'm1', write('late'))).rejects.toMatchObject(refused(2));
  });

  it('has a name of any length that a subscriber may have', async () => {
    await expect(inbox.run(owner('a', 1, 0, ''), 'm1', write('a'))).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    const name = 'abcdefghijklmnopqrstuvwxyz0123456789'.repeat(29).slice(0, 1_024);
    expect(await inbox.run(owner('a', 1, 0, name), 'm1', write('a'))).toMatchObject({ duplicate: false });
  });

  it('takes effect before all owners above it, or not at all, in whatever order they come', async () => {
    await database.query('CREATE TABLE IF NOT EXISTS turn (number serial, epoch int); TRUNCATE turn');
    const epochs = Array.from({ length: 120 }, (_, index) => ((index * 7) % 12) + 1 + Math.floor(index / 30));
    const runs = await Promise.allSettled(epochs.map((epoch, index) =>
      inbox.run(owner(`m${epoch}`, epoch), `m${index}`, (transaction) => transaction.query('INSERT INTO turn (epoch) VALUES ($1)', [epoch]))));
    const reasons = runs.flatMap((run) => (run.status === 'rejected' ? [run.reason as unknown] : []));
    for (const reason of reasons) expect(reason).toBeInstanceOf(OwnerFencedError);
    const { rows } = await database.query<{ epoch: number }>('SELECT epoch FROM turn ORDER BY number');
    const turns = rows.map(({ epoch }) => epoch);
    expect(turns).toEqual(turns.toSorted((one, other) => one - other));
    expect([turns.length + reasons.length, turns.at(-1)]).toEqual([epochs.length, Math.max(...epochs)]);
  });

  together('has the messages of its lanes handled side by side, from its first one on', async () => {
    await inbox.run(owner('a', 1), 'before', write('before'));
    const all = newSignal();
    let inside = 0;
    const work = async () => {
      inside += 1;
      if (inside === 8) all.give();
      await all.given;
    };
    for (const ids of ['first', 'second']) {
      inside = 0;
      await Promise.all(Array.from({ length: 8 }, (_, index) => inbox.run(owner('b', 2), `${ids} ${index}`, work)));
    }
    expect(await known()).toEqual([{ partition: 0, epoch: 2, member: 'b' }]);
  });

  together('begins when the transactions of the owner before have ended, which take effect as a whole', async () => {
    const [one, other] = [await open(owner('a', 1), 'a1'), await open(owner('a', 1), 'a2')];
    let hasBegun = false;
    const next = inbox.run(owner('b', 2), 'b1', async (transaction) => {
      hasBegun = true;
      // It sees all that the owner before has done.
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

  together('that comes while the owner is being changed waits for that, and is refused', async () => {
    await inbox.run(owner('a', 1), 'a1', write('a1'));
    const [changing, held] = [newSignal(), newSignal()];
    const change = database.transaction(async (transaction) => {
      await transaction.query("UPDATE millrace_owner SET epoch = 2, member = 'b'");
      changing.give();
      await held.given;
    });
    await changing.given;
    const late = [1, 2, 3].map((index) => inbox.run(owner('a', 1), `late ${index}`, write('late')));
    const settled = Promise.allSettled(late);
    await waiting(3);
    held.give();
    await change;
    for (const each of await settled) expect(each).toMatchObject({ status: 'rejected', reason: refused(2) });
    expect(await effects(database)).toEqual(['a1']);
  });

  together('is refused at once, whatever the handlers of the one above it are at', async () => {
    const held = await open(owner('b', 2), 'b1');
    await expect(inbox.run(owner('a', 1), 'a1', write('late'))).rejects.toMatchObject(refused(2));
    held.end();
    await held.done;
  });

  together('waits no longer for an owner that stands still than its transaction may idle: nothing of that one is there', async () => {
    const { inbox: still } = await server.inbox({ url: withLimit('idle_in_transaction_session_timeout') });
    const held = await open(owner('a', 1), 'a1', still);
    expect(await inbox.run(owner('b', 2), 'b1', write('b1'))).toMatchObject({ duplicate: false });
    held.end();
    await expect(held.done).rejects.toMatchObject({ code: 'DATABASE_UNREACHABLE' });
    expect(await effects(database)).toEqual(['b1']);
    await expect(still.run(owner('a', 1), 'a1', write('late'))).rejects.toMatchObject(refused(2));
  });

  together('waits no longer than a statement may take, and is tried again then', async () => {
    const { inbox: impatient } = await server.inbox({ url: withLimit('statement_timeout') });
    const held = await open(owner('a', 1), 'a1');
    const late = { code: 'DATABASE_FAILED', retryable: true, message: expect.stringContaining('57014') };
    await expect(impatient.run(owner('b', 2), 'b1', write('b1'))).rejects.toMatchObject(late);
    held.end();
    await held.done;
    expect(await impatient.run(owner('b', 2), 'b1', write('b1'))).toMatchObject({ duplicate: false });
  });

  describe('prepare', () => {
    it('makes its table where an older version has made the inbox alone, and keeps what that holds', async () => {
      await inbox.run('group', 'm1', write('a'));
      for (let round = 0; round < 3; round += 1) {
        await database.query('DROP TABLE millrace_owner');
        await Promise.all(Array.from({ length: 10 }, () => new SqlInbox({ database }).prepare()));
        expect(await inbox.run(owner('a', 1), `m${round}`, write('b'))).toMatchObject({ duplicate: false });
      }
      expect(await inbox.run('group', 'm1', write('a'))).toEqual({ duplicate: true });
    });

    together('does so while handlers of the older version are at work', async () => {
      await database.query('DROP TABLE millrace_owner');
      const [begun, held] = [newSignal(), newSignal()];
      const atWork = inbox.run('group', 'm1', async () => {
        begun.give();
        await held.given;
      });
      await begun.given;
      await inbox.prepare();
      held.give();
      await atWork;
    });

    it('is asked for when it was forgotten', async () => {
      await database.query('ALTER TABLE millrace_owner RENAME TO elsewhere');
      const text = expect.stringMatching(/was prepare\(\) called.*42P01/);
      await expect(inbox.run(owner('a', 1), 'm1', write('a'))).rejects.toMatchObject({ code: 'DATABASE_FAILED', message: text });
      await database.query('ALTER TABLE elsewhere RENAME TO millrace_owner');
    });
  });
});
