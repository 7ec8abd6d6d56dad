import { describe, expect, it } from '@jest/globals';
import { type ErrorKind, mergeErrors, type RedriveDeadLettersOptions } from '@millrace/admin';
import { AdminBed, confirmationIn } from './admin-bed.js';
import { Mail, mails, Order, orders } from './topics.js';

const bed = new AdminBed('dead-letters');
const actor = 'ann';
const target = { topic: 'shop.mails', group: 'g' };

interface Patient {
  readonly handled: number[];
  isIll: boolean;
}

/** A group that gives up what it is given while it is ill: each third message for another reason. */
async function patient(count: number): Promise<Patient> {
  const one: Patient = { handled: [], isIll: true };
  await bed.subscribe({ topic: Mail, group: 'g' }, async ({ number }: Mail) => {
    if (one.isIll && number % 3 === 0) throw new TypeError(`no mail box '${number}'`);
    if (one.isIll) throw new Error(`order ${number} took ${number * 7} ms`);
    one.handled.push(number);
  });
  await bed.application.publisher.publishMany(Mail, mails(count));
  await bed.drained({ topic: Mail, group: 'g' });
  one.isIll = false;
  return one;
}

async function kinds(most = 2_000): Promise<ErrorKind[]> {
  const pages: (readonly ErrorKind[])[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await bed.admin.deadLetters.errors(target, { most, cursor });
    pages.push(page.items);
    if (page.nextCursor === null) return mergeErrors(...pages);
    cursor = page.nextCursor;
  }
}

async function dryRun(options: Omit<RedriveDeadLettersOptions, 'actor'>): Promise<string> {
  const dry = await bed.admin.deadLetters.redrive(target, { ...options, actor, dryRun: true });
  return confirmationIn(dry);
}

const sorted = (numbers: readonly number[]): number[] => [...numbers].sort((one, other) => one - other);
const numbersUpTo = (count: number): number[] => Array.from({ length: count }, (_, number) => number);

describe('dead letters', () => {
  it('are counted for the groups that have some, and grouped by the way in which they were given up', async () => {
    await patient(30);
    await bed.subscribe({ topic: Order, group: 'well' }, async () => undefined);
    await bed.application.publisher.publishMany(Order, orders(3));
    expect(await bed.admin.deadLetters.list()).toMatchObject(
      { complete: true, scanned: 2, items: [{ ...target, deadLetters: 30 }] },
    );
    const found = await kinds();
    expect(found.map(({ count, error }) => [count, error.name])).toEqual([[20, 'Error'], [10, 'TypeError']]);
    expect(found.every(({ firstSeen, lastSeen }) => firstSeen.getTime() <= lastSeen.getTime())).toBe(true);
    // The same counts over pages of a few.
    expect(await kinds(7)).toEqual(found);
  });

  it('are browsed in pages, by fingerprint, and shown one by one', async () => {
    await patient(30);
    const [often, seldom] = await kinds();
    const first = await bed.admin.deadLetters.browse(target, { fingerprint: seldom!.fingerprint, limit: 6 });
    const next = { fingerprint: seldom!.fingerprint, limit: 6, cursor: first.nextCursor! };
    const second = await bed.admin.deadLetters.browse(target, next);
    const all = [first, second].flatMap(({ items }) => items);
    expect(all.map(({ payload }) => (payload as Mail).number)).toEqual([0, 3, 6, 9, 12, 15, 18, 21, 24, 27]);
    expect([first.complete, second.complete]).toEqual([false, true]);
    expect(first.scanned + second.scanned).toBe(30);
    expect(await bed.admin.deadLetters.show(target, all[0]!.id)).toEqual(all[0]);
    expect(await bed.admin.deadLetters.show(target, '0:1-1')).toBeNull();
    await expect(bed.admin.deadLetters.show(target, '*')).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
    await expect(bed.admin.deadLetters.browse(target, { fingerprint: often!.fingerprint, cursor: first.nextCursor! })).rejects.toMatchObject({ code: 'INVALID_CURSOR' });
    expect(await bed.admin.deadLetters.browse(target, { most: 4 })).toMatchObject({ scanned: 4, complete: false });
  });
});

describe('a redrive', () => {
  it('by ids says of each what became of it, and needs no confirmation', async () => {
    const one = await patient(5);
    const { items } = await bed.admin.deadLetters.browse(target);
    const ids = [items[1]!.id, '0:1-1', items[3]!.id];
    expect(await bed.admin.deadLetters.redrive(target, { actor, ids })).toMatchObject({
      dryRun: false,
      partial: true,
      result: {
        redriven: 2, failure: null,
        items: [{ id: ids[0], outcome: 'redriven' }, { id: ids[1], outcome: 'missing' }, { id: ids[2], outcome: 'redriven' }],
      },
    });
    await bed.drained({ topic: Mail, group: 'g' });
    expect(sorted(one.handled)).toEqual([1, 3]);
  });

  it('by a fingerprint takes those alone, and leaves what was given up since its dry run', async () => {
    const one = await patient(30);
    const [, seldom] = await kinds();
    const confirm = await dryRun({ fingerprint: seldom!.fingerprint });
    one.isIll = true;
    await bed.application.publisher.publish(Mail, { number: 33 });
    await bed.drained({ topic: Mail, group: 'g' });
    one.isIll = false;
    expect(await bed.admin.deadLetters.redrive(target, { actor, fingerprint: seldom!.fingerprint, confirm })).toMatchObject(
      { impact: { deadLetters: 10 }, result: { redriven: 10 }, partial: false },
    );
    await bed.drained({ topic: Mail, group: 'g' });
    expect(sorted(one.handled)).toEqual([0, 3, 6, 9, 12, 15, 18, 21, 24, 27]);
    expect(await bed.admin.deadLetters.list()).toMatchObject({ items: [{ deadLetters: 21 }] });
  });

  it('by two operators at once puts each back once', async () => {
    const one = await patient(250);
    const other = await bed.operator();
    const confirm = await dryRun({ all: true });
    const asked = [bed.admin, other].map((admin) => admin.deadLetters.redrive(target, { actor, all: true, confirm }));
    const ended = await Promise.allSettled(asked);
    const results = ended.map((each) => (each.status === 'fulfilled' && !each.value.dryRun ? each.value.result : each));
    const redriven = results.map((result) => ('redriven' in result ? result.redriven : 0));
    // One of them may have come when the other was done already: its confirmation was stale.
    const refused = ended.flatMap((each) => (each.status === 'rejected' ? [each.reason as { code: string }] : []));
    expect(refused.map(({ code }) => code)).toEqual(refused.map(() => 'CONFIRMATION_STALE'));
    expect(redriven[0]! + redriven[1]!).toBe(250);
    await bed.drained({ topic: Mail, group: 'g' });
    expect(sorted(one.handled)).toEqual(numbersUpTo(250));
  });

  it('that was confirmed for some that another operator has redriven since is stale, and does nothing', async () => {
    const one = await patient(6);
    const confirm = await dryRun({ all: true });
    const { items } = await bed.admin.deadLetters.browse(target, { limit: 1 });
    await bed.admin.deadLetters.redrive(target, { actor: 'bob', ids: [items[0]!.id] });
    await bed.drained({ topic: Mail, group: 'g' });
    await expect(bed.admin.deadLetters.redrive(target, { actor, all: true, confirm })).rejects.toMatchObject(
      { code: 'CONFIRMATION_STALE', impact: { deadLetters: 5 } },
    );
    expect(one.handled).toHaveLength(1);
  });

  it('takes as many as it may at once, the oldest first', async () => {
    const one = await patient(9);
    const options = { all: true, limit: 4 };
    const confirm = await dryRun(options);
    const done = await bed.admin.deadLetters.redrive(target, { ...options, actor, confirm });
    expect(done).toMatchObject({ result: { redriven: 4 } });
    await bed.drained({ topic: Mail, group: 'g' });
    expect(sorted(one.handled)).toEqual([0, 1, 2, 3]);
    expect(await bed.admin.deadLetters.redrive(target, { ...options, actor, dryRun: true })).toMatchObject(
      { impact: { deadLetters: 4, complete: false } },
    );
  });

  it('goes in steps of its rate', async () => {
    await patient(5);
    const options = { all: true, rate: 2 };
    const confirm = await dryRun(options);
    const commands = await bed.commandsOf(() => bed.admin.deadLetters.redrive(target, { ...options, actor, confirm }));
    expect(await bed.admin.deadLetters.list()).toMatchObject({ items: [] });
    const redrives = commands.filter(([name, , keys, first]) => name === 'evalsha' && keys === '9' && first === bed.key('shop.mails', 'group:g:dead'));
    expect(redrives).toHaveLength(3);
  });

  it.each([
    ['nothing', {}],
    ['two ways', { ids: ['0:1-1'], all: true }],
    ['all: false', { all: false }],
    ['ids that are none', { ids: ['*'] }],
    ['an id that is a list', { ids: [['0:1-1']] }],
    ['more ids than 1,000', { ids: Array.from({ length: 1_001 }, (_, number) => `0:${number}-0`) }],
    ['a fingerprint that is none', { fingerprint: 'a*' }],
    ['a rate of 0', { all: true, rate: 0 }],
    ['a limit beyond 10,000', { all: true, limit: 10_001 }],
  ])('that selects by %s is refused', async (_, options) => {
    await bed.subscribe({ topic: Mail, group: 'g' }, async () => undefined);
    await expect(bed.admin.deadLetters.redrive(target, { actor, ...options } as never)).rejects.toMatchObject(
      { code: 'INVALID_OPTIONS' },
    );
  });
});

describe('a discard', () => {
  it('needs a confirmation also for ids, and removes for good', async () => {
    const one = await patient(4);
    const { items } = await bed.admin.deadLetters.browse(target);
    const ids = [items[0]!.id, items[2]!.id];
    await expect(bed.admin.deadLetters.discard(target, { actor, ids })).rejects.toMatchObject(
      { code: 'CONFIRMATION_REQUIRED', impact: { deadLetters: 2 } },
    );
    const confirm = confirmationIn(await bed.admin.deadLetters.discard(target, { actor, ids, dryRun: true }));
    await expect(bed.admin.deadLetters.redrive(target, { actor, all: true, confirm })).rejects.toMatchObject(
      { code: 'CONFIRMATION_STALE' },
    );
    expect(await bed.admin.deadLetters.discard(target, { actor, ids, confirm })).toMatchObject(
      { result: { discarded: 2, missing: 0 }, partial: false },
    );
    expect(await bed.admin.deadLetters.discard(target, { actor, ids, confirm })).toMatchObject(
      { result: { discarded: 0, missing: 2 }, partial: true },
    );
    expect((await bed.admin.deadLetters.browse(target)).items.map(({ payload }) => (payload as Mail).number)).toEqual([1, 3]);
    expect(one.handled).toEqual([]);
  });
});
