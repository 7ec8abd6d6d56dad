import { beforeEach, describe, expect, it } from '@jest/globals';
import { topicOf } from '@millrace/core';
import { loadScript } from '@millrace/redis';
import { settleKeysOf } from '../src/consume/settle-call.js';
import type { GroupStream } from '../src/consume/group-partition.js';
import { SETTLED_PAGE_OFFSETS, settledKey } from '../src/keys.js';
import { putBack } from '../src/redeliver/put-back.js';
import { Bed } from './bed.js';
import type { Process } from './fixture.js';
import { storedEntry } from './stored-entry.js';
import { numbers, Single } from './topics.js';

const settle = loadScript('../src/scripts/settle.lua', import.meta.url);
const begin = loadScript('../src/scripts/begin.lua', import.meta.url);

type Wish = Parameters<typeof putBack>[2];
type Body = [offset: number, attempt: number, crashes: number, firstFailedAt: number | null, envelope: string, ...unknown[]];
type Row = [id: string, fields: string[]];

const bed = new Bed('put-back');
let process: Process;

const place = (): ReturnType<typeof bed.place> => bed.place(Single, 'g');
const log = (): GroupStream => place().streams[0];
const retry = (): GroupStream => place().streams[1];

beforeEach(async () => {
  process = await bed.start({ messagesPerEntry: 16 });
  await process.streams.declare(topicOf(Single));
  await bed.command('XGROUP', 'CREATE', log().key, 'g', '0');
  await bed.command('XGROUP', 'CREATE', retry().key, 'g', '0', 'MKSTREAM');
  await bed.command('HSET', place().keys.groups, 'g', 0);
});

const goesBack = (stream: GroupStream, wish: Partial<Wish> = {}): Promise<number> =>
  putBack({ redis: process.redis.control, prefix: bed.prefix }, stream, { owner: 'a', fate: 'dead', ...wish });

async function read(stream: GroupStream, member = 'a'): Promise<string[]> {
  const reply = (await bed.command('XREADGROUP', 'GROUP', 'g', member, 'STREAMS', stream.key, '>')) as [[string, Row[]]] | null;
  return (reply?.[0][1] ?? []).map(([id]) => id);
}

/** Publishes messages, so many to an entry, and reads them as member a. */
async function held(count: number, perEntry = 1): Promise<string[]> {
  const publisher = await bed.start({ messagesPerEntry: perEntry });
  await publisher.publisher.publishMany(Single, numbers(count));
  return read(log());
}

async function addToRetryLog(...bodies: unknown[]): Promise<string[]> {
  for (const body of bodies) await bed.command('XADD', retry().key, '*', 'r', JSON.stringify(body));
  return read(retry());
}

async function bodies(): Promise<Body[]> {
  const rows = (await bed.command('XRANGE', retry().key, '-', '+')) as Row[];
  return rows.map(([, [, body]]) => JSON.parse(body!) as Body);
}

async function pendingIn(stream: GroupStream): Promise<string[]> {
  return ((await bed.command('XPENDING', stream.key, 'g', '-', '+', 1_000)) as [string][]).map(([id]) => id);
}

async function consumersOf(stream: GroupStream): Promise<string[]> {
  return ((await bed.command('XINFO', 'CONSUMERS', stream.key, 'g')) as [string, string][]).map(([, name]) => name);
}

type Span = { base?: number; size?: number; offset?: number; dead?: boolean };

async function settles(stream: GroupStream, entry: string, item: Span = {}): Promise<string> {
  const { base = 0, size = 1, offset = base, dead: isDead = false } = item;
  const keys = [...settleKeysOf(stream), settledKey(bed.prefix, place(), base)];
  const outcome = isDead ? ['dead', '[]', '{}'] : ['ack', 'handled', ''];
  const head = ['g', 'a', stream.kind, SETTLED_PAGE_OFFSETS, '0', '0', 1_000, 0];
  return String(await process.redis.control.run(settle, keys, [...head, entry, base, size, offset, 1, ...outcome, '']));
}

describe('a message that a member held of the log', () => {
  it('waits in `again` when its process vanished, with its first crash, and the member is forgotten', async () => {
    await held(2);
    expect(await goesBack(log())).toBe(2);
    const [first, second] = await bodies();
    expect([first!.slice(0, 4), second!.slice(0, 4)]).toEqual([[0, 1, 1, null], [1, 1, 1, null]]);
    expect(JSON.parse(first![4])).toContainEqual({ value: 0 });
    expect([await pendingIn(log()), await consumersOf(log())]).toEqual([[], []]);
    expect(await bed.state(process, Single, 'g')).toMatchObject({ lag: 2, redelivered: 2, pending: 0 });
  });

  it.each(['left', 'living'] as const)('waits uncounted when it is %s', async (fate) => {
    await held(1);
    expect(await goesBack(log(), { fate })).toBe(1);
    expect((await bodies()).map(([offset, attempt, crashes]) => [offset, attempt, crashes])).toEqual([[0, 1, 0]]);
    expect(await consumersOf(log())).toEqual(fate === 'left' ? [] : ['a']);
    expect(await bed.state(process, Single, 'g')).toMatchObject({ lag: 1, redelivered: 0 });
  });

  it('stays where the member knows of it, and so does the member', async () => {
    const [first, second, third] = await held(3);
    expect(await goesBack(log(), { fate: 'left', kept: [first!, third!] })).toBe(1);
    expect([await pendingIn(log()), await consumersOf(log())]).toEqual([[first, third], ['a']]);
    expect(await settles(log(), second!, { base: 1 })).toBe('F');
    expect(await settles(log(), third!, { base: 2 })).toBe('S');
  });

  it('waits by itself: settled messages of an entry of 16 are not put back', async () => {
    const [entry] = await held(16, 16);
    for (const offset of [0, 3, 4, 15]) expect(await settles(log(), entry!, { size: 16, offset })).toBe('S');
    expect(await goesBack(log())).toBe(12);
    expect((await bodies()).map(([offset]) => offset)).toEqual([1, 2, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    expect(await pendingIn(log())).toEqual([]);
    expect(await bed.state(process, Single, 'g')).toMatchObject({ lag: 12, handled: 4 });
  });

  it('is put back once, whichever member tries again', async () => {
    await held(3);
    expect([await goesBack(log()), await goesBack(log()), (await bodies()).length]).toEqual([3, 0, 3]);
  });

  it('is found behind hundreds of entries that its member and others hold', async () => {
    await held(150);
    await process.publisher.publishMany(Single, numbers(32));
    const others = await read(log(), 'b');
    await held(105);
    expect(await goesBack(log())).toBe(255);
    expect([await pendingIn(log()), await consumersOf(log())]).toEqual([others, ['b']]);
    expect(new Set((await bodies()).map(([offset]) => offset)).size).toBe(255);
  });

  it('is found on whatever pages of the bitmap, also when the first entry is on a far one', async () => {
    const offsets = [5, 3, 2, 6].map((page) => page * SETTLED_PAGE_OFFSETS - 1).concat(10 * SETTLED_PAGE_OFFSETS);
    for (const [ms, offset] of offsets.entries()) await bed.command('XADD', log().key, ...storedEntry(offset, [`[1,"id-${offset}"]`], ms + 1));
    await read(log());
    await bed.command('SETBIT', settledKey(bed.prefix, place(), offsets[2]!), offsets[2]! % SETTLED_PAGE_OFFSETS, 1);
    expect(await goesBack(log())).toBe(4);
    expect((await bodies()).map(([offset]) => offset)).toEqual(offsets.filter((_, index) => index !== 2));
    for (const offset of offsets) {
      expect(await bed.command('GETBIT', settledKey(bed.prefix, place(), offset), offset % SETTLED_PAGE_OFFSETS)).toBe(1);
    }
  });

  it.each<[string, string, string[]]>([
    ['has no fields of ours', '*', ['some', 'thing "/" new']],
    ['has a field beside ours', '5-0', ['m', '[[1]]', 'some', 'thing']],
    ['has a text that is no array', '5-0', ['m', '{}']],
    ['has another number of messages than its id says', '5-1', ['m', '[[1]]']],
    ['crosses from one page into the next', `5-${(SETTLED_PAGE_OFFSETS - 1) * 16 + 1}`, ['m', '[[1],\n[2]]']],
    ['has an id beyond those of ours', '5-18446744073709551615', ['m', '[[1]]']],
  ])('waits as it is when it %s, and touches no bitmap', async (_, id, fields) => {
    await bed.command('XADD', log().key, id, ...fields);
    await read(log());
    expect(await goesBack(log())).toBe(1);
    expect(await bodies()).toEqual([[-1, 1, 1, null, JSON.stringify(fields)]]);
    expect(await bed.command('EXISTS', settledKey(bed.prefix, place(), 0), settledKey(bed.prefix, place(), SETTLED_PAGE_OFFSETS))).toBe(0);
    expect([await pendingIn(log()), await consumersOf(log())]).toEqual([[], []]);
  });

  it('is dropped when it was deleted', async () => {
    const [entry] = await held(1);
    await bed.command('XDEL', log().key, entry!);
    expect(await goesBack(log())).toBe(0);
    expect([await pendingIn(log()), await bodies()]).toEqual([[], []]);
  });

  it.each([1, 16])('stays, and is open still, while `again` refuses it (%i an entry)', async (perEntry) => {
    const ids = await held(16, perEntry);
    await bed.command('RENAME', retry().key, `${retry().key}:away`);
    await bed.command('SET', retry().key, 'in the way');
    await expect(goesBack(log())).rejects.toThrow(/WRONGTYPE/);
    expect(await pendingIn(log())).toEqual(ids);
    expect(await bed.command('BITCOUNT', settledKey(bed.prefix, place(), 0))).toBe(0);
    expect(await bed.command('ZCARD', place().groupKeys.open)).toBe(0);
    await bed.command('RENAME', `${retry().key}:away`, retry().key);
    expect([await goesBack(log()), (await bodies()).length]).toEqual([16, 16]);
  });

  it('is put back while Redis is full', async () => {
    await held(3);
    await bed.command('CONFIG', 'SET', 'maxmemory', 1);
    try {
      expect(await goesBack(log())).toBe(3);
    } finally {
      await bed.command('CONFIG', 'SET', 'maxmemory', 0);
    }
  });

  it('counts once when a dead letter of the same message that was redriven waits already', async () => {
    await held(1);
    await bed.command('ZADD', place().groupKeys.open, 0, '0 1 3 0 - 0');
    await bed.command('HSET', place().groupKeys.stats, 'settled', 0);
    expect(await goesBack(log())).toBe(1);
    expect(await bed.command('HGET', place().groupKeys.stats, 'settled')).toBe('1');
    expect(await bed.command('ZRANGE', place().groupKeys.open, 0, -1)).toEqual([expect.stringMatching(/^0 \d+ 1 1 - 0$/)]);
  });

  it.each(['the owner first', 'the other first'])('R4 is dead-lettered once when its owner does so meanwhile, %s', async (order) => {
    const [entry] = await held(1);
    const bury = (): Promise<string> => settles(log(), entry!, { dead: true });
    const steps: (() => Promise<unknown>)[] = order === 'the owner first' ? [bury, () => goesBack(log())] : [() => goesBack(log()), bury];
    const results: unknown[] = [];
    for (const step of steps) results.push(await step());
    expect(results).toEqual(order === 'the owner first' ? ['S', 0] : [1, 'F']);
    for (const id of await read(retry())) expect(await settles(retry(), id, { dead: true })).toBe('S');
    expect(await bed.command('XLEN', place().groupKeys.dead)).toBe(1);
    expect(await bed.command('HGET', place().groupKeys.stats, 'settled')).toBe('1');
  });

  it('R10 has a new token for the next holder, and a message that was kept has its old one', async () => {
    const [kept, unseen] = await held(2);
    expect(await goesBack(log(), { fate: 'living', kept: [kept!] })).toBe(1);
    const [again] = await read(retry());
    expect(await settles(log(), unseen!, { base: 1 })).toBe('F');
    expect(await settles(log(), kept!)).toBe('S');
    expect(await settles(retry(), again!, { base: 1 })).toBe('S');
    expect(await bed.state(process, Single, 'g')).toMatchObject({ lag: 0, handled: 2 });
  });
});

describe('a message that a member held of `again`', () => {
  const begins = (entry: string): Promise<unknown> => process.redis.control.run(begin, [retry().key, place().groupKeys.begun], ['g', 'a', entry]);

  it.each<[fate: Wish['fate'], begun: boolean, crashes: number, after: number]>([
    ['dead', false, 0, 1],
    ['dead', false, 1, 1],
    ['dead', true, 1, 2],
    ['dead', false, 7, 7],
    ['dead', true, 7, 8],
    ['left', true, 1, 1],
    ['left', false, 0, 0],
    ['living', true, 1, 1],
  ])('goes to the end of `again`: %s, begun %s, %i crashes before and %i after', async (fate, isBegun, before, after) => {
    const [entry] = await addToRetryLog([7, 3, before, 1_700_000_000_000, 'text "with" [7,3,0]']);
    if (isBegun) expect(await begins(entry!)).toBe(1);
    expect(await goesBack(retry(), { fate })).toBe(1);
    expect(await bodies()).toEqual([[7, 3, after, 1_700_000_000_000, 'text "with" [7,3,0]']]);
    expect([await pendingIn(retry()), await bed.command('HKEYS', place().groupKeys.begun)]).toEqual([[], []]);
    expect(await settles(retry(), entry!)).toBe('F');
  });

  it.each(['[7,1', 'no body', ''])('is put back as it is when it cannot be read (%j)', async (text) => {
    await bed.command('XADD', retry().key, '*', 'r', text);
    await read(retry());
    expect(await goesBack(retry())).toBe(1);
    expect(((await bed.command('XRANGE', retry().key, '-', '+')) as Row[]).map(([, fields]) => fields)).toEqual([['r', text]]);
  });

  it('is found up to the end of the stream, though put-back messages are added behind it', async () => {
    await addToRetryLog(...numbers(250).map((_, offset) => [offset, 1, 0, null, 'text']));
    expect(await goesBack(retry())).toBe(250);
    expect([(await bodies()).length, await pendingIn(retry()), await consumersOf(retry())]).toEqual([250, [], []]);
  });

  it('is put back alone: others\' messages stay, and so do the member\'s own of the log', async () => {
    const [ofLog] = await held(1);
    await addToRetryLog([1, 1, 0, null, 'mine']);
    await bed.command('XADD', retry().key, '*', 'r', '[2,1,0,null,"theirs"]');
    const theirs = await read(retry(), 'b');
    expect(await goesBack(retry())).toBe(1);
    expect([await pendingIn(retry()), await pendingIn(log())]).toEqual([theirs, [ofLog]]);
    expect([await consumersOf(retry()), await consumersOf(log())]).toEqual([['b'], ['a']]);
  });
});
