import { beforeEach, describe, expect, it } from '@jest/globals';
import { topicOf } from '@millrace/core';
import { loadScript } from '@millrace/redis';
import { settleKeysOf } from '../src/consume/settle-call.js';
import { tendKeysOf } from '../src/group/tender.js';
import { SETTLED_PAGE_OFFSETS, settledKey } from '../src/keys.js';
import { putBack, type PutBackWish } from '../src/redeliver/put-back.js';
import { Bed } from './bed.js';
import { type Process } from './fixture.js';
import { numbers, Single } from './topics.js';

/** Calls the scripts alone, as two members would, in every possible order. */
const settle = loadScript('../src/scripts/settle.lua', import.meta.url);
const tend = loadScript('../src/scripts/tend.lua', import.meta.url);
const begin = loadScript('../src/scripts/begin.lua', import.meta.url);
const forgetMember = loadScript('../src/scripts/forget-member.lua', import.meta.url);

const bed = new Bed('settling');
let process: Process;

beforeEach(async () => {
  process = await bed.start();
  await process.streams.declare(topicOf(Single));
});

interface Settling {
  readonly member?: string;
  readonly entry: string;
  readonly offset?: number;
  readonly outcome: readonly [string, string, string];
}

const body = (offset: number, attempt = 2): string => JSON.stringify([offset, attempt, 0, null, `[1,"id-${offset}",null,null,null,{"value":1}]`]);

function settleKeys(stream: 'log' | 'retry' = 'log'): string[] {
  const place = bed.place(Single, 'g');
  return [...settleKeysOf(place.streams[stream === 'log' ? 0 : 1]), settledKey(bed.prefix, place, 0)];
}

async function settleAs(stream: 'log' | 'retry', items: readonly Settling[], options: { repeated?: boolean; member?: string } = {}): Promise<string> {
  const keys = settleKeys(stream);
  const args = items.flatMap(({ entry, offset = 0, outcome }) => [entry, offset, 1, offset, 1, ...outcome, '']);
  const head = ['g', options.member ?? 'a', stream, SETTLED_PAGE_OFFSETS, options.repeated ? '1' : '0', '0', 1_000, 0];
  return String(await process.redis.control.run(settle, keys, [...head, ...args]));
}

async function declareGroup(): Promise<void> {
  const { keys, groupKeys } = bed.place(Single, 'g');
  await bed.command('XGROUP', 'CREATE', keys.log, 'g', '0');
  await bed.command('XGROUP', 'CREATE', groupKeys.again, 'g', '0', 'MKSTREAM');
  await bed.command('HSET', keys.groups, 'g', 0);
}

/** Publishes `count` messages and reads them as member a. */
async function held(count: number): Promise<string[]> {
  await process.publisher.publishMany(Single, numbers(count));
  await declareGroup();
  return readAs('a', bed.place(Single, 'g').keys.log);
}

async function readAs(member: string, stream: string): Promise<string[]> {
  const [[, entries]] = (await bed.command('XREADGROUP', 'GROUP', 'g', member, 'STREAMS', stream, '>')) as [[string, [string, string[]][]]];
  return entries.map(([id]) => id);
}

async function retryHeld(offset: number): Promise<string> {
  const { keys: { log }, groupKeys: { again, open } } = bed.place(Single, 'g');
  const [[stored]] = (await bed.command('XRANGE', log, '-', '+')) as [[string]];
  await bed.command('ZADD', open, offset, `${offset} ${stored.split('-')[0]!} 2 0 - 0`);
  await bed.command('XADD', again, '*', 'r', body(offset));
  const [id] = await readAs('a', again);
  return id!;
}

/** How a message waits for its second attempt. */
const SECOND = '2 0 -';

/** Replaces a key by one of another type. @returns a function that restores the key */
async function inTheWay(key: string): Promise<() => Promise<unknown>> {
  const wasThere = (await bed.command('EXISTS', key)) === 1;
  if (wasThere) await bed.command('RENAME', key, `${key}:away`);
  await bed.command('SET', key, 'in the way');
  return () => (wasThere ? bed.command('RENAME', `${key}:away`, key) : bed.command('DEL', key));
}

const outcomes = [
  ['ack', 'handled', ''],
  ['retry', '0', SECOND],
  ['dead', '[]', '{}'],
  ['release', SECOND, ''],
] as const;

describe('R1 slow settlement of a message that another member has by now', () => {
  it.each(outcomes)('refuses %s of a message of the log, and changes nothing but the count of refusals', async (...outcome) => {
    const [entry] = await held(1);
    const { keys, groupKeys } = bed.place(Single, 'g');
    await bed.command('XCLAIM', keys.log, 'g', 'b', 0, entry!);
    expect(await settleAs('log', [{ entry: entry!, outcome }])).toBe('F');
    expect(await bed.pending(Single, 'g')).toEqual([[entry, 'b', expect.any(Number), 2]]);
    expect(await bed.command('ZCARD', groupKeys.due)).toBe(0);
    expect(await bed.command('XLEN', groupKeys.dead)).toBe(0);
    expect(await bed.command('XLEN', groupKeys.again)).toBe(0);
    expect(await bed.command('HGETALL', groupKeys.stats)).toEqual(['fenced', '1']);
  });

  it.each(outcomes)('refuses %s of a message of `again`', async (...outcome) => {
    await held(1);
    const entry = await retryHeld(0);
    const { groupKeys } = bed.place(Single, 'g');
    await bed.command('XCLAIM', groupKeys.again, 'g', 'b', 0, entry);
    expect(await settleAs('retry', [{ entry, outcome }])).toBe('F');
    expect(await bed.command('XLEN', groupKeys.again)).toBe(1);
    expect(await bed.command('ZCARD', groupKeys.due)).toBe(0);
    expect(await bed.command('HGETALL', groupKeys.stats)).toEqual(['fenced', '1']);
  });
});

describe('R13 settle reply lost: the repetition settles nothing twice', () => {
  it.each(outcomes)('%s from the log', async (...outcome) => {
    const [entry] = await held(1);
    const item = { entry: entry!, outcome };
    expect(await settleAs('log', [item])).toBe('S');
    const before = await bed.command('HGETALL', bed.place(Single, 'g').groupKeys.stats);
    expect(await settleAs('log', [item], { repeated: true })).toBe('S');
    const { groupKeys } = bed.place(Single, 'g');
    expect(await bed.command('HGETALL', groupKeys.stats)).toEqual(before);
    const copies = [await bed.command('ZCARD', groupKeys.due), await bed.command('XLEN', groupKeys.dead), await bed.command('XLEN', groupKeys.again)];
    expect(copies.map(Number).reduce((a, b) => a + b)).toBe(outcome[0] === 'ack' ? 0 : 1);
  });

  it.each(outcomes)('%s from `again`', async (...outcome) => {
    await held(1);
    const item = { entry: await retryHeld(0), outcome };
    expect(await settleAs('retry', [item])).toBe('S');
    const { groupKeys } = bed.place(Single, 'g');
    const before = await bed.command('HGETALL', groupKeys.stats);
    expect(await settleAs('retry', [item], { repeated: true })).toBe('S');
    expect(await bed.command('HGETALL', groupKeys.stats)).toEqual(before);
    expect(Number(await bed.command('ZCARD', groupKeys.due)) + Number(await bed.command('XLEN', groupKeys.dead))).toBe(['retry', 'dead'].includes(outcome[0]) ? 1 : 0);
  });
});

describe('one message of an entry of several', () => {
  it.each(['repeated', 'sent anew'])('counts once, also when it is %s while the entry is still held', async (how) => {
    const [entry] = await held(1);
    const { groupKeys } = bed.place(Single, 'g');
    const keys = settleKeys();
    const settleFirst = (): Promise<unknown> =>
      process.redis.control.run(settle, keys, [
        'g', 'a', 'log', SETTLED_PAGE_OFFSETS, how === 'repeated' ? '1' : '0', '0', 1_000, 0, entry!, 0, 2, 0, 1, 'dead', '[]', '{}', '',
      ]);
    expect([await settleFirst(), await settleFirst()]).toEqual(['S', how === 'repeated' ? 'S' : 'D']);
    expect(await bed.command('XLEN', groupKeys.dead)).toBe(1);
    expect(await bed.command('HGET', groupKeys.stats, 'settled')).toBe('1');
    expect(await bed.pending(Single, 'g')).toHaveLength(1);
  });
});

describe('entries that are settled whole', () => {
  it.each([1, 1_000])('refuses the whole entry that another member holds, where %s may be held', async (most) => {
    const ids = await held(3);
    await bed.command('XCLAIM', bed.place(Single, 'g').keys.log, 'g', 'b', 0, ids[1]!);
    const keys = settleKeys();
    const head = ['g', 'a', 'log', SETTLED_PAGE_OFFSETS, '0', '0', most];
    expect(await process.redis.control.run(settle, keys, [...head, ids.length, ...ids])).toBe('SFS');
    expect((await bed.pending(Single, 'g')).map(([id, owner]) => [id, owner])).toEqual([[ids[1], 'b']]);
    expect(await bed.state(process, Single, 'g')).toMatchObject({ lag: 1, handled: 2, fenced: 1 });
  });
});

describe('a settlement that fails half way', () => {
  it.each([
    ['retry', 'due', ['retry', '0', SECOND]],
    ['dead letter', 'dead', ['dead', '[]', '{}']],
    ['release', 'again', ['release', SECOND, '']],
  ] as const)('does not lose the message of a %s whose key has the wrong type', async (_, name, outcome) => {
    const [entry] = await held(1);
    const { groupKeys } = bed.place(Single, 'g');
    const remove = await inTheWay(groupKeys[name]);
    const item = { entry: entry!, outcome };
    await expect(settleAs('log', [item])).rejects.toMatchObject({ code: 'REDIS_FAILED' });
    await remove();
    expect(await settleAs('log', [item], { repeated: true })).toBe('S');
    expect(await bed.command(name === 'due' ? 'ZCARD' : 'XLEN', groupKeys[name])).toBe(1);
  });

  it('does not multiply what it stores while the counters cannot be written', async () => {
    const [entry] = await held(1);
    const { groupKeys } = bed.place(Single, 'g');
    await bed.command('SET', groupKeys.stats, 'in the way');
    const item = { entry: entry!, outcome: ['dead', '[]', '{}'] as const };
    await settleAs('log', [item]).catch(() => undefined);
    await settleAs('log', [item]).catch(() => undefined);
    expect(await bed.command('XLEN', groupKeys.dead)).toBe(1);
  });

  it('counts the messages that it had settled until then', async () => {
    const [done, failing] = await held(2);
    const { groupKeys } = bed.place(Single, 'g');
    await bed.command('SET', groupKeys.due, 'in the way');
    const items = [
      { entry: done!, outcome: ['ack', 'handled', ''] as const },
      { entry: failing!, offset: 1, outcome: ['retry', '0', SECOND] as const },
    ];
    await expect(settleAs('log', items)).rejects.toThrow(/WRONGTYPE/);
    expect(await bed.command('HGET', groupKeys.stats, 'settled')).toBe('1');
    expect((await bed.pending(Single, 'g')).map(([id]) => id)).toEqual([failing]);
    await bed.command('DEL', groupKeys.due);
    expect(await settleAs('log', items, { repeated: true })).toBe('SS');
    expect(await bed.command('HMGET', groupKeys.stats, 'settled', 'retried')).toEqual(['1', '1']);
  });
});

/** The reply for the one partition. */
async function tended(): Promise<unknown> {
  const [reply] = (await process.redis.control.run(tend, tendKeysOf(bed.place(Single, 'g')), [100, 'g'])) as [unknown];
  return reply;
}

describe('tending', () => {
  it('keeps a retry that is due while `again` is gone', async () => {
    const { due, again } = bed.place(Single, 'g').groupKeys;
    await bed.command('ZADD', due, 1, body(0));
    await bed.command('XGROUP', 'CREATE', bed.place(Single, 'g').keys.log, 'g', '0');
    expect(await tended()).toBe('UNDECLARED');
    expect(await bed.command('ZCARD', due)).toBe(1);
    await bed.command('XGROUP', 'CREATE', again, 'g', '0', 'MKSTREAM');
    expect(await tended()).toEqual([1, -1, 0]);
    expect([await bed.command('ZCARD', due), await bed.command('XLEN', again)]).toEqual([0, 1]);
  });

  it('R5 a retry that is due is not undone by a late acknowledgement of its owner', async () => {
    const [entry] = await held(1);
    const { again } = bed.place(Single, 'g').groupKeys;
    expect(await settleAs('log', [{ entry: entry!, outcome: ['retry', '0', SECOND] }])).toBe('S');
    expect(await settleAs('log', [{ entry: entry!, outcome: ['ack', 'handled', ''] }])).toBe('F');
    await tended();
    expect(await settleAs('log', [{ entry: entry!, outcome: ['ack', 'handled', ''] }])).toBe('F');
    const [retried] = await readAs('a', again);
    expect((await bed.state(process, Single, 'g')).lag).toBe(1);
    expect(await settleAs('retry', [{ entry: retried!, outcome: ['ack', 'handled', ''] }])).toBe('S');
    expect(await bed.state(process, Single, 'g')).toMatchObject({ lag: 0, handled: 1, retried: 1, fenced: 2 });
  });

  it('R5 an acknowledged message is not brought back by a late retry of its owner', async () => {
    const [entry] = await held(1);
    const { due } = bed.place(Single, 'g').groupKeys;
    expect(await settleAs('log', [{ entry: entry!, outcome: ['ack', 'handled', ''] }])).toBe('S');
    expect(await settleAs('log', [{ entry: entry!, outcome: ['retry', '0', SECOND] }])).toBe('F');
    expect(await bed.command('ZCARD', due)).toBe(0);
    expect((await bed.state(process, Single, 'g')).lag).toBe(0);
  });
});

describe('putting back', () => {
  const from = (stream: 'log' | 'retry', wish: PutBackWish): Promise<number> =>
    putBack({ redis: process.redis.control, prefix: bed.prefix }, bed.place(Single, 'g').streams[stream === 'log' ? 0 : 1], wish);
  const bodies = async (): Promise<unknown[]> => {
    const rows = (await bed.command('XRANGE', bed.place(Single, 'g').groupKeys.again, '-', '+')) as [string, [string, string]][];
    return rows.map(([, [, text]]) => JSON.parse(text) as unknown);
  };
  const crashesOf = async (): Promise<number[]> => (await bodies()).map((parts) => (parts as number[])[2]!);
  const mark = (member: string, entry: string): Promise<unknown> => {
    const { again, begun } = bed.place(Single, 'g').groupKeys;
    return process.redis.control.run(begin, [again, begun], ['g', member, entry]);
  };
  const ack = ['ack', 'handled', ''] as const;

  it('returns the members that Redis knows, and how much each holds', async () => {
    await held(2);
    await readAs('a', bed.place(Single, 'g').keys.log).catch(() => []);
    await bed.command('XGROUP', 'CREATECONSUMER', bed.place(Single, 'g').keys.log, 'g', 'idle');
    expect(await tended()).toEqual([0, -1, 0, 'a', 2, 0, 'idle', 0, 0]);
  });

  it('counts a crash for all messages that a dead process held, and none for those of a lost reply', async () => {
    const [first] = await held(2);
    expect(await from('log', { owner: 'a', fate: 'living', kept: [first!] })).toBe(1);
    expect(await crashesOf()).toEqual([0]);
    expect(await from('log', { owner: 'a', fate: 'dead' })).toBe(1);
    expect(await crashesOf()).toEqual([0, 1]);
    expect(await bed.state(process, Single, 'g')).toMatchObject({ lag: 2, redelivered: 1 });
    expect(await bed.pending(Single, 'g')).toEqual([]);
  });

  it('counts further crashes only for messages that were marked as begun', async () => {
    await held(2);
    await from('log', { owner: 'a', fate: 'dead' });
    const { again, begun } = bed.place(Single, 'g').groupKeys;
    const [marked] = await readAs('b', again);
    expect(await mark('b', marked!)).toBe(1);
    expect(await from('retry', { owner: 'b', fate: 'dead' })).toBe(2);
    expect(await crashesOf()).toEqual([2, 1]);
    expect([await bed.command('XLEN', again), await bed.command('EXISTS', begun)]).toEqual([2, 0]);
  });

  it('counts no crash for a member that left, or was stopping, though it had begun', async () => {
    await held(1);
    await from('log', { owner: 'a', fate: 'left' });
    expect(await crashesOf()).toEqual([0]);
    await from('retry', { owner: 'a', fate: 'dead' });
    const [entry] = await readAs('b', bed.place(Single, 'g').groupKeys.again);
    await mark('b', entry!);
    await from('retry', { owner: 'b', fate: 'left' });
    expect(await crashesOf()).toEqual([0]);
  });

  it('does not let a member begin a message that another holds', async () => {
    await held(1);
    await from('log', { owner: 'a', fate: 'dead' });
    const { again, begun } = bed.place(Single, 'g').groupKeys;
    const [entry] = await readAs('b', again);
    expect([await mark('a', entry!), await bed.command('EXISTS', begun)]).toEqual([0, 0]);
  });

  it('R10 gives a message that is put back a new token: the old one is refused, and kept messages keep theirs', async () => {
    const [first, second] = await held(2);
    await from('log', { owner: 'a', fate: 'living', kept: [first!] });
    expect(await settleAs('log', [{ entry: first!, outcome: ack }, { entry: second!, offset: 1, outcome: ack }])).toBe('SF');
    const [again] = await readAs('a', bed.place(Single, 'g').groupKeys.again);
    expect(await settleAs('retry', [{ entry: again!, offset: 1, outcome: ack }])).toBe('S');
    expect(await bed.state(process, Single, 'g')).toMatchObject({ handled: 2, lag: 0, fenced: 1 });
  });

  it.each(['the owner first', 'the other first'])('R4 while the owner dead-letters, %s: one dead letter', async (order) => {
    const [entry] = await held(1);
    const dead = ['dead', '[]', '{}'] as const;
    const bury = (): Promise<unknown> => settleAs('log', [{ entry: entry!, outcome: dead }]);
    const take = (): Promise<unknown> => from('log', { owner: 'a', fate: 'dead' });
    const isLate = order === 'the other first';
    const results: unknown[] = [];
    for (const step of isLate ? [take, bury] : [bury, take]) results.push(await step());
    expect(results).toEqual(isLate ? [1, 'F'] : ['S', 0]);
    if (isLate) {
      const [again] = await readAs('b', bed.place(Single, 'g').groupKeys.again);
      expect(await settleAs('retry', [{ entry: again!, outcome: dead }], { member: 'b' })).toBe('S');
    }
    const { groupKeys } = bed.place(Single, 'g');
    expect(await bed.command('XLEN', groupKeys.dead)).toBe(1);
    expect(await bed.command('HGET', groupKeys.stats, 'settled')).toBe('1');
  });

  it('R9 reaches all messages behind pages of entries that others hold', async () => {
    const { publisher } = await bed.start({ messagesPerEntry: 1 });
    await publisher.publishMany(Single, numbers(450));
    await declareGroup();
    const ids = await readAs('a', bed.place(Single, 'g').keys.log);
    expect(ids).toHaveLength(450);
    await bed.command('XCLAIM', bed.place(Single, 'g').keys.log, 'g', 'dead', 0, ...ids.slice(200));
    expect(await from('log', { owner: 'dead', fate: 'dead' })).toBe(250);
    const offsets = (await bodies()).map((parts) => (parts as number[])[0]);
    expect(offsets).toEqual(Array.from({ length: 250 }, (_, index) => 200 + index));
    expect(await bed.pending(Single, 'g')).toHaveLength(200);
  });

  it('puts back only the unsettled messages of an entry', async () => {
    await declareGroup();
    const { log } = bed.place(Single, 'g').keys;
    await bed.command('XADD', log, '1-2', 'm', '["a",\n"b",\n"c"]');
    const [entry] = await readAs('a', log);
    const args = ['g', 'a', 'log', SETTLED_PAGE_OFFSETS, '0', '0', 1_000, 0, entry!, 0, 3, 1, 1, ...ack, ''];
    expect(await process.redis.control.run(settle, settleKeys(), args)).toBe('S');
    expect(await from('log', { owner: 'a', fate: 'dead' })).toBe(2);
    expect(await bodies()).toEqual([[0, 1, 1, null, '"a"'], [2, 1, 1, null, '"c"']]);
  });

  it('R9 reaches an entry whose page of the settled bitmap is far behind the first', async () => {
    await declareGroup();
    const { log } = bed.place(Single, 'g').keys;
    const base = 3 * SETTLED_PAGE_OFFSETS;
    await bed.command('XADD', log, `1-${base * 16}`, 'm', '["far"]');
    await readAs('a', log);
    expect(await from('log', { owner: 'a', fate: 'dead' })).toBe(1);
    expect(await bodies()).toEqual([[base, 1, 1, null, '"far"']]);
  });

  it('R16 forgets no member that holds anything', async () => {
    await held(1);
    const { keys, groupKeys: { again } } = bed.place(Single, 'g');
    await bed.command('XGROUP', 'CREATECONSUMER', keys.log, 'g', 'idle');
    const forget = (member: string): Promise<unknown> => process.redis.control.run(forgetMember, [keys.log, again], ['g', member]);
    expect([await forget('idle'), await forget('a')]).toEqual([1, 0]);
    await from('log', { owner: 'a', fate: 'living', kept: (await bed.pending(Single, 'g')).map(([id]) => id) });
    expect(await bed.pending(Single, 'g')).toHaveLength(1);
    await from('log', { owner: 'a', fate: 'dead' });
    expect(await bed.command('XINFO', 'CONSUMERS', keys.log, 'g')).toEqual([]);
  });

  it('leaves all as it was while `again` cannot take anything', async () => {
    await held(2);
    const { groupKeys } = bed.place(Single, 'g');
    const remove = await inTheWay(groupKeys.again);
    await expect(from('log', { owner: 'a', fate: 'dead' })).rejects.toMatchObject({ code: 'REDIS_FAILED' });
    expect(await bed.pending(Single, 'g')).toHaveLength(2);
    await remove();
    expect(await from('log', { owner: 'a', fate: 'dead' })).toBe(2);
    expect(await crashesOf()).toEqual([1, 1]);
  });
});
