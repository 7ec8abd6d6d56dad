import { beforeEach, describe, expect, it } from '@jest/globals';
import { topicOf } from '@millrace/core';
import { loadScript } from '@millrace/redis';
import { waitFor } from '@millrace/testing';
import { SETTLED_PAGE_OFFSETS, settledKey } from '../src/keys.js';
import { Bed } from './bed.js';
import { type Process } from './fixture.js';
import { numbers, Single } from './topics.js';

/** The scripts alone, called as two members would call them, in every order that time allows. */
const settle = loadScript('../src/scripts/settle.lua', import.meta.url);
const heartbeat = loadScript('../src/scripts/heartbeat.lua', import.meta.url);
const reclaim = loadScript('../src/scripts/reclaim.lua', import.meta.url);
const promote = loadScript('../src/scripts/promote.lua', import.meta.url);
const forgetMembers = loadScript('../src/scripts/forget-members.lua', import.meta.url);

const bed = new Bed('settling');
let process: Process;

beforeEach(async () => {
  process = await bed.start();
  await process.streams.declare(topicOf(Single));
});

interface Settling {
  readonly member?: string;
  readonly entry: string;
  readonly count: number;
  readonly offset?: number;
  readonly outcome: readonly [string, string, string];
}

const body = (offset: number, attempt = 2): string => JSON.stringify([offset, attempt, 0, null, `[1,"id-${offset}",null,null,null,{"value":1}]`]);

async function settleAs(stream: 'log' | 'retry', items: readonly Settling[], options: { repeated?: boolean; member?: string } = {}): Promise<string> {
  const { groupKeys, streams } = bed.place(Single, 'g');
  const key = streams[stream === 'log' ? 0 : 1].key;
  const { stats, due, dead, retryLog, open } = groupKeys;
  const keys = [key, stats, due, dead, retryLog, open, settledKey(bed.prefix, bed.place(Single, 'g'), 0)];
  const args = items.flatMap(({ entry, count, offset = 0, outcome }) => [entry, count, offset, 1, offset, 1, ...outcome, '']);
  return String(await process.redis.control.run(settle, keys, ['g', options.member ?? 'a', stream, SETTLED_PAGE_OFFSETS, options.repeated ? '1' : '0', ...args]));
}

async function declareGroup(): Promise<void> {
  const { keys, groupKeys } = bed.place(Single, 'g');
  await bed.command('XGROUP', 'CREATE', keys.log, 'g', '0');
  await bed.command('XGROUP', 'CREATE', groupKeys.retryLog, 'g', '0', 'MKSTREAM');
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
  const { retryLog, open } = bed.place(Single, 'g').groupKeys;
  await bed.command('ZADD', open, offset, `${offset} 1`);
  await bed.command('XADD', retryLog, '*', 'r', body(offset));
  const [id] = await readAs('a', retryLog);
  return id!;
}

const outcomes = [
  ['ack', 'handled', ''],
  ['retry', '0', body(0)],
  ['dead', '[]', '{}'],
  ['release', body(0), ''],
] as const;

describe('R1 slow settlement after a reclaim', () => {
  it.each(outcomes)('refuses %s of a message of the log, and changes nothing but the count of refusals', async (...outcome) => {
    const [entry] = await held(1);
    const { keys, groupKeys } = bed.place(Single, 'g');
    await bed.command('XCLAIM', keys.log, 'g', 'b', 0, entry!);
    expect(await settleAs('log', [{ entry: entry!, count: 1, outcome }])).toBe('F');
    expect(await bed.pending(Single, 'g')).toEqual([[entry, 'b', expect.any(Number), 2]]);
    expect(await bed.command('ZCARD', groupKeys.due)).toBe(0);
    expect(await bed.command('XLEN', groupKeys.dead)).toBe(0);
    expect(await bed.command('XLEN', groupKeys.retryLog)).toBe(0);
    expect(await bed.command('HGETALL', groupKeys.stats)).toEqual(['fenced', '1']);
  });

  it.each(outcomes)('refuses %s of a message of the retry log', async (...outcome) => {
    await held(1);
    const entry = await retryHeld(0);
    const { groupKeys } = bed.place(Single, 'g');
    await bed.command('XCLAIM', groupKeys.retryLog, 'g', 'b', 0, entry);
    expect(await settleAs('retry', [{ entry, count: 1, outcome }])).toBe('F');
    expect(await bed.command('XLEN', groupKeys.retryLog)).toBe(1);
    expect(await bed.command('ZCARD', groupKeys.due)).toBe(0);
    expect(await bed.command('HGETALL', groupKeys.stats)).toEqual(['fenced', '1']);
  });

  it('refuses the same member with an older delivery count', async () => {
    const [entry] = await held(1);
    await bed.command('XCLAIM', bed.place(Single, 'g').keys.log, 'g', 'a', 0, entry!);
    expect(await settleAs('log', [{ entry: entry!, count: 1, outcome: ['ack', 'handled', ''] }])).toBe('F');
    expect(await settleAs('log', [{ entry: entry!, count: 2, outcome: ['ack', 'handled', ''] }])).toBe('S');
  });

  it.each(['stale first', 'stale last'])('tells an old and a new holding of one entry apart in one call, %s', async (order) => {
    await held(1);
    const entry = await retryHeld(0);
    const { groupKeys } = bed.place(Single, 'g');
    await bed.command('XCLAIM', groupKeys.retryLog, 'g', 'a', 0, entry);
    const tokens = order === 'stale first' ? [1, 2] : [2, 1];
    const replies = await settleAs('retry', tokens.map((count) => ({ entry, count, outcome: ['ack', 'handled', ''] as const })));
    expect(replies).toBe(order === 'stale first' ? 'FS' : 'SF');
    expect(await bed.command('HGET', groupKeys.stats, 'settled')).toBe('1');
  });
});

describe('R13 settle reply lost: the repetition settles nothing twice', () => {
  it.each(outcomes)('%s from the log', async (...outcome) => {
    const [entry] = await held(1);
    const item = { entry: entry!, count: 1, outcome };
    expect(await settleAs('log', [item])).toBe('S');
    const before = await bed.command('HGETALL', bed.place(Single, 'g').groupKeys.stats);
    expect(await settleAs('log', [item], { repeated: true })).toBe('S');
    const { groupKeys } = bed.place(Single, 'g');
    expect(await bed.command('HGETALL', groupKeys.stats)).toEqual(before);
    const copies = [await bed.command('ZCARD', groupKeys.due), await bed.command('XLEN', groupKeys.dead), await bed.command('XLEN', groupKeys.retryLog)];
    expect(copies.map(Number).reduce((a, b) => a + b)).toBe(outcome[0] === 'ack' ? 0 : 1);
  });

  it.each(outcomes)('%s from the retry log', async (...outcome) => {
    await held(1);
    const item = { entry: await retryHeld(0), count: 1, outcome };
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
    const { streams, groupKeys } = bed.place(Single, 'g');
    const page = settledKey(bed.prefix, bed.place(Single, 'g'), 0);
    const keys = [streams[0].key, groupKeys.stats, groupKeys.due, groupKeys.dead, groupKeys.retryLog, groupKeys.open, page];
    const settleFirst = (): Promise<unknown> =>
      process.redis.control.run(settle, keys, [
        'g', 'a', 'log', SETTLED_PAGE_OFFSETS, how === 'repeated' ? '1' : '0', entry!, 1, 0, 2, 0, 1, 'dead', '[]', '{}', '',
      ]);
    expect([await settleFirst(), await settleFirst()]).toEqual(['S', how === 'repeated' ? 'S' : 'D']);
    expect(await bed.command('XLEN', groupKeys.dead)).toBe(1);
    expect(await bed.command('HGET', groupKeys.stats, 'settled')).toBe('1');
    expect(await bed.pending(Single, 'g')).toHaveLength(1);
  });
});

describe('a settlement that fails half way', () => {
  it.each([
    ['retry', 'due', ['retry', '0', body(0)]],
    ['dead letter', 'dead', ['dead', '[]', '{}']],
    ['release', 'retryLog', ['release', body(0), '']],
  ] as const)('does not lose the message of a %s whose key has the wrong type', async (_, name, outcome) => {
    const [entry] = await held(1);
    const { groupKeys } = bed.place(Single, 'g');
    await bed.command('DEL', groupKeys[name]);
    await bed.command('SET', groupKeys[name], 'in the way');
    const item = { entry: entry!, count: 1, outcome };
    await expect(settleAs('log', [item])).rejects.toMatchObject({ code: 'REDIS_FAILED' });
    await bed.command('DEL', groupKeys[name]);
    expect(await settleAs('log', [item], { repeated: true })).toBe('S');
    expect(await bed.command(name === 'due' ? 'ZCARD' : 'XLEN', groupKeys[name])).toBe(1);
  });

  it('does not multiply what it stores while the counters cannot be written', async () => {
    const [entry] = await held(1);
    const { groupKeys } = bed.place(Single, 'g');
    await bed.command('SET', groupKeys.stats, 'in the way');
    const item = { entry: entry!, count: 1, outcome: ['dead', '[]', '{}'] as const };
    await settleAs('log', [item]).catch(() => undefined);
    await settleAs('log', [item]).catch(() => undefined);
    expect(await bed.command('XLEN', groupKeys.dead)).toBe(1);
  });

  it('counts what it had settled until then', async () => {
    const [done, failing] = await held(2);
    const { groupKeys } = bed.place(Single, 'g');
    await bed.command('SET', groupKeys.due, 'in the way');
    const items = [
      { entry: done!, count: 1, outcome: ['ack', 'handled', ''] as const },
      { entry: failing!, count: 1, offset: 1, outcome: ['retry', '0', body(1)] as const },
    ];
    await expect(settleAs('log', items)).rejects.toThrow(/WRONGTYPE/);
    expect(await bed.command('HGET', groupKeys.stats, 'settled')).toBe('1');
    expect((await bed.pending(Single, 'g')).map(([id]) => id)).toEqual([failing]);
    await bed.command('DEL', groupKeys.due);
    expect(await settleAs('log', items, { repeated: true })).toBe('SS');
    expect(await bed.command('HMGET', groupKeys.stats, 'settled', 'retried')).toEqual(['1', '1']);
  });
});

describe('R2 a stale heartbeat', () => {
  it('does not take back what another member took over, and leaves the delivery count of what it renews', async () => {
    const [lost, kept] = await held(2);
    const { keys, groupKeys } = bed.place(Single, 'g');
    await bed.command('XCLAIM', keys.log, 'g', 'b', 0, lost!);
    const args = ['g', 'a', 2, lost!, 1, 2, kept!, 1];
    expect(await process.redis.control.run(heartbeat, [groupKeys.members, keys.log, groupKeys.retryLog, groupKeys.stats], args)).toBe('LH');
    const pending = await bed.pending(Single, 'g');
    expect(pending.map(([id, owner, , count]) => [id, owner, count])).toEqual([[lost, 'b', 2], [kept, 'a', 1]]);
  });

  it('does not renew a holding that the same member has lost and won again', async () => {
    const [entry] = await held(1);
    const { keys, groupKeys } = bed.place(Single, 'g');
    await bed.command('XCLAIM', keys.log, 'g', 'a', 0, entry!);
    expect(await process.redis.control.run(heartbeat, [groupKeys.members, keys.log, groupKeys.retryLog, groupKeys.stats], ['g', 'a', 2, entry!, 1])).toBe('L');
  });
});

describe('promoting', () => {
  it('keeps a retry that is due while the retry log is gone', async () => {
    const { due, retryLog } = bed.place(Single, 'g').groupKeys;
    await bed.command('ZADD', due, 1, body(0));
    expect(await process.redis.control.run(promote, [due, retryLog], [100])).toBe('UNDECLARED');
    expect(await bed.command('ZCARD', due)).toBe(1);
    await bed.command('XGROUP', 'CREATE', retryLog, 'g', '0', 'MKSTREAM');
    expect(await process.redis.control.run(promote, [due, retryLog], [100])).toEqual([1, -1]);
    expect([await bed.command('ZCARD', due), await bed.command('XLEN', retryLog)]).toEqual([0, 1]);
  });

  it('R5 a retry that is due is not undone by a late acknowledgement of its owner', async () => {
    const [entry] = await held(1);
    const { due, retryLog } = bed.place(Single, 'g').groupKeys;
    expect(await settleAs('log', [{ entry: entry!, count: 1, outcome: ['retry', '0', body(0)] }])).toBe('S');
    expect(await settleAs('log', [{ entry: entry!, count: 1, outcome: ['ack', 'handled', ''] }])).toBe('F');
    await process.redis.control.run(promote, [due, retryLog], [10]);
    expect(await settleAs('log', [{ entry: entry!, count: 1, outcome: ['ack', 'handled', ''] }])).toBe('F');
    const [retried] = await readAs('a', retryLog);
    expect((await bed.state(process, Single, 'g')).lag).toBe(1);
    expect(await settleAs('retry', [{ entry: retried!, count: 1, outcome: ['ack', 'handled', ''] }])).toBe('S');
    expect(await bed.state(process, Single, 'g')).toMatchObject({ lag: 0, handled: 1, retried: 1, fenced: 2 });
  });

  it('R5 an acknowledged message is not brought back by a late retry of its owner', async () => {
    const [entry] = await held(1);
    const { due } = bed.place(Single, 'g').groupKeys;
    expect(await settleAs('log', [{ entry: entry!, count: 1, outcome: ['ack', 'handled', ''] }])).toBe('S');
    expect(await settleAs('log', [{ entry: entry!, count: 1, outcome: ['retry', '0', body(0)] }])).toBe('F');
    expect(await bed.command('ZCARD', due)).toBe(0);
    expect((await bed.state(process, Single, 'g')).lag).toBe(0);
  });
});

describe('reclaiming', () => {
  const LEASE_MS = 3_600_000;
  type Page = { after?: string; look?: number; take?: number; holds?: string[] };

  async function reclaimAs(member: string, options: Page = {}): Promise<unknown[]> {
    const { keys, groupKeys } = bed.place(Single, 'g');
    const { after = '-', look = 100, take = 100, holds = [] } = options;
    return (await process.redis.control.run(reclaim, [keys.log, groupKeys.members, groupKeys.stats], ['g', member, LEASE_MS, after, look, take, ...holds])) as unknown[];
  }
  const beat = (member: string, ago = 0): Promise<unknown> => bed.command('ZADD', bed.place(Single, 'g').groupKeys.members, Date.now() - ago, member);

  it('leaves a living member what it has', async () => {
    await held(3);
    await beat('a');
    expect(await reclaimAs('b')).toEqual(['-']);
  });

  it('leaves a member that has never beaten what it has, for a third of the lease', async () => {
    const [entry] = await held(1);
    expect(await reclaimAs('b')).toEqual(['-']);
    await bed.command('XCLAIM', bed.place(Single, 'g').keys.log, 'g', 'a', 0, entry!, 'IDLE', LEASE_MS / 3 + 10_000, 'JUSTID');
    expect((await reclaimAs('b'))[1]).toBe(entry);
  });

  it('takes what a silent member has at once, and what a beating one let run out of its lease', async () => {
    const [first, second] = await held(2);
    await beat('a');
    await bed.command('XCLAIM', bed.place(Single, 'g').keys.log, 'g', 'a', 0, second!, 'IDLE', LEASE_MS + 10_000, 'JUSTID');
    expect((await reclaimAs('b')).filter((_, index) => index % 3 === 1)).toEqual([second]);
    await beat('a', LEASE_MS + 60_000);
    await waitFor(async () => (await bed.pending(Single, 'g'))[0]![2] > 0, { what: 'the first to be idle for a moment' });
    expect((await reclaimAs('b', { holds: [second!] })).slice(1)).toEqual([first, 2, expect.any(Array)]);
  });

  it('takes back what the caller was given in a reply that it never got, and leaves what it holds', async () => {
    const [first, second] = await held(2);
    await beat('a');
    expect((await reclaimAs('a', { holds: [second!] })).slice(1)).toEqual([first, 2, expect.any(Array)]);
  });

  it('R10 what a member was given unseen and takes over has a new token, and what it held keeps the old one', async () => {
    const [first, second] = await held(2);
    await beat('a');
    expect((await reclaimAs('a', { holds: [first!] })).slice(1)).toEqual([second, 2, expect.any(Array)]);
    const { keys, groupKeys } = bed.place(Single, 'g');
    const all = [groupKeys.members, keys.log, groupKeys.retryLog, groupKeys.stats];
    const beaten = await process.redis.control.run(heartbeat, all, ['g', 'a', 2, first!, 1, 2, second!, 1, 2, second!, 2]);
    expect(beaten).toBe('HLH');
    const ack = ['ack', 'handled', ''] as const;
    const settled = await settleAs('log', [
      { entry: first!, count: 1, outcome: ack },
      { entry: second!, count: 1, offset: 1, outcome: ack },
      { entry: second!, count: 2, offset: 1, outcome: ack },
    ]);
    expect(settled).toBe('SFS');
  });

  it.each(['the owner first', 'the other first'])('R4 a claim while the owner dead-letters, %s: one dead letter', async (order) => {
    const [entry] = await held(1);
    await beat('a', LEASE_MS + 60_000);
    await waitFor(async () => (await bed.pending(Single, 'g'))[0]![2] > 0, { what: 'it to be idle for a moment' });
    const dead = ['dead', '[]', '{}'] as const;
    const bury = (): Promise<string> => settleAs('log', [{ entry: entry!, count: 1, outcome: dead }]);
    const claim = (): Promise<unknown[]> => reclaimAs('b');
    const steps = order === 'the owner first' ? [bury, claim] : [claim, bury];
    const results: unknown[] = [];
    for (const step of steps) results.push(await step());
    const claimed = results.flat().includes(entry!);
    expect(results).toContain(claimed ? 'F' : 'S');
    if (claimed) expect(await settleAs('log', [{ entry: entry!, count: 2, outcome: dead }], { member: 'b' })).toBe('S');
    const { groupKeys } = bed.place(Single, 'g');
    expect(await bed.command('XLEN', groupKeys.dead)).toBe(1);
    expect(await bed.command('HGET', groupKeys.stats, 'settled')).toBe('1');
  });

  it('R9 reaches what lies behind pages of entries that others hold', async () => {
    const ids = await held(250);
    const { keys } = bed.place(Single, 'g');
    await beat('a');
    await beat('dead', LEASE_MS * 2);
    await bed.command('XCLAIM', keys.log, 'g', 'dead', 0, ...ids.slice(245), 'IDLE', 1_000, 'JUSTID');
    const first = await reclaimAs('b');
    expect(first).toEqual([ids[99]]);
    const second = await reclaimAs('b', { after: String(first[0]) });
    expect(second).toEqual([ids[199]]);
    const third = await reclaimAs('b', { after: String(second[0]), take: 2 });
    expect([third[0], third[1], third[4]]).toEqual([ids[246], ids[245], ids[246]]);
    expect((await reclaimAs('b', { after: String(third[0]) }))[0]).toBe('-');
  });

  it('R16 forgets no member that holds anything', async () => {
    await held(1);
    const { keys, groupKeys } = bed.place(Single, 'g');
    await beat('a', 10_000);
    await beat('idle', 10_000);
    const forget = (leaving: string): Promise<unknown> => process.redis.control.run(forgetMembers, [groupKeys.members, keys.log, groupKeys.retryLog], ['g', 1_000, leaving]);
    expect(await forget('')).toBe(1);
    expect(await forget('a')).toBe(0);
    expect(await bed.pending(Single, 'g')).toHaveLength(1);
    expect(await bed.command('ZRANGE', groupKeys.members, 0, -1)).toEqual(['a']);
  });
});
