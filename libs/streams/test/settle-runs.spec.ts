import { beforeEach, describe, expect, it } from '@jest/globals';
import { topicOf } from '@millrace/core';
import { loadScript } from '@millrace/redis';
import { settleKeysOf } from '../src/consume/settle-call.js';
import { SETTLED_PAGE_OFFSETS, settledKey } from '../src/keys.js';
import { putBack } from '../src/redeliver/put-back.js';
import { Bed } from './bed.js';
import { type Process } from './fixture.js';
import { storedEntry } from './stored-entry.js';
import { Single } from './topics.js';

/** Calls the script alone, as one member does for all messages that it has handled in one tick. */
const settle = loadScript('../src/scripts/settle.lua', import.meta.url);

const bed = new Bed('settle-runs');
let process: Process;

beforeEach(async () => {
  process = await bed.start();
  await process.streams.declare(topicOf(Single));
  const { keys, groupKeys } = bed.place(Single, 'g');
  await bed.command('XGROUP', 'CREATE', keys.log, 'g', '0');
  await bed.command('XGROUP', 'CREATE', groupKeys.again, 'g', '0', 'MKSTREAM');
});

interface Entry {
  readonly id: string;
  readonly base: number;
  readonly size: number;
}

interface Run {
  readonly entry: Entry;
  readonly first: number;
  readonly n?: number;
  readonly outcome?: readonly [string, string, string];
}

interface Call {
  readonly whole?: readonly Entry[];
  readonly runs?: readonly Run[];
  readonly repeated?: boolean;
  readonly held?: number;
}

const LAST_OF_PAGE = SETTLED_PAGE_OFFSETS - 16;
const HANDLED = ['ack', 'handled', ''] as const;
const RETRY = ['retry', '0', '2 0 -'] as const;
const DEAD = ['dead', '[]', '{}'] as const;

const group = () => bed.place(Single, 'g');
const pageKey = (page: number): string => settledKey(bed.prefix, group(), page * SETTLED_PAGE_OFFSETS);

/** Adds entries of these sizes, which member a then holds. */
async function held(sizes: readonly number[], from = 0): Promise<Entry[]> {
  const entries: Entry[] = [];
  let base = from;
  for (const size of sizes) {
    const texts = Array.from({ length: size }, (_, index) => `[1,"id-${base + index}",null,null,null,{"value":1}]`);
    const [id, ...fields] = storedEntry(base, texts, 1_000);
    await bed.command('XADD', group().keys.log, id, ...fields);
    entries.push({ id, base, size });
    base += size;
  }
  await bed.command('XREADGROUP', 'GROUP', 'g', 'a', 'STREAMS', group().keys.log, '>');
  return entries;
}

async function settled(call: Call): Promise<string> {
  const { whole = [], runs = [], repeated = false, held: most = 1_024 } = call;
  const offsets = [...whole.map(({ base }) => base), ...runs.map(({ first }) => Math.max(0, first))];
  const pages = [...new Set(offsets.map((offset) => Math.floor(offset / SETTLED_PAGE_OFFSETS)))];
  const keys = [...settleKeysOf(group().streams[0]), ...pages.map(pageKey)];
  const head = ['g', 'a', 'log', SETTLED_PAGE_OFFSETS, repeated ? '1' : '0', pages.join(','), most, whole.length];
  const args = runs.flatMap(({ entry, first, n = 1, outcome = HANDLED }) => [entry.id, entry.base, entry.size, first, n, ...outcome, '']);
  return String(await process.redis.control.run(settle, keys, [...head, ...whole.map(({ id }) => id), ...args]));
}

async function counts(): Promise<Record<string, number>> {
  const flat = (await bed.command('HGETALL', group().groupKeys.stats)) as string[];
  return Object.fromEntries(flat.flatMap((name, index) => (index % 2 === 0 ? [[name, Number(flat[index + 1])]] : [])));
}

async function pendingIds(): Promise<string[]> {
  return (await bed.pending(Single, 'g')).map(([id]) => id);
}

async function marked(page = 0): Promise<number> {
  return Number(await bed.command('BITCOUNT', pageKey(page)));
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, each) => all + each, 0);
const ofOthers = (...entries: readonly Entry[]): Promise<unknown> => bed.command('XCLAIM', group().keys.log, 'g', 'b', 0, ...entries.map(({ id }) => id));
const both = (n: number): Record<string, number> => ({ settled: n, handled: n });

describe('entries that are settled whole', () => {
  it.each([
    ['one message each', [1, 1, 1]],
    ['sixteen messages each', [16, 16, 16]],
    ['one entry', [7]],
    ['more offsets than fit into one number', [16, 16, 16, 16, 1, 16, 16, 16]],
    ['just as many offsets as fit into one number', [16, 16, 16]],
    ['a thousand', Array.from({ length: 1_000 }, (_, index) => (index % 16) + 1)],
  ])('%s', async (_, sizes) => {
    const entries = await held(sizes);
    expect(await settled({ whole: entries })).toBe('S'.repeat(sizes.length));
    expect(await counts()).toEqual(both(sum(sizes)));
    expect([await pendingIds(), await marked()]).toEqual([[], sum(sizes)]);
  });

  it('on both sides of the end of a page', async () => {
    // The log skips the last offsets of a page, rather than store an entry on two pages.
    const entries = [...(await held([16], LAST_OF_PAGE - 3)), ...(await held([5, 16], SETTLED_PAGE_OFFSETS))];
    expect(await settled({ whole: entries })).toBe('SSS');
    expect(await counts()).toEqual(both(37));
    expect([await marked(0), await marked(1)]).toEqual([16, 21]);
  });

  it('that follow each other over the end of a page', async () => {
    const entries = await held([16, 16, 16, 16], LAST_OF_PAGE - 16);
    expect(await settled({ whole: entries })).toBe('SSSS');
    expect(await counts()).toEqual(both(64));
    expect([await marked(0), await marked(1), await pendingIds()]).toEqual([32, 32, []]);
  });

  it('with gaps between them: nothing in a gap is marked', async () => {
    const [first, between, last] = await held([16, 4, 16]);
    expect(await settled({ whole: [first!, last!] })).toBe('SS');
    expect(await counts()).toEqual(both(32));
    expect([await pendingIds(), await bed.command('BITCOUNT', pageKey(0), 16, 19, 'BIT')]).toEqual([[between!.id], 0]);
  });

  it('refuses an entry that another member has by now, in the middle of the others', async () => {
    const [first, lost, last] = await held([16, 5, 16]);
    await ofOthers(lost!);
    expect(await settled({ whole: [first!, lost!, last!] })).toBe('SFS');
    expect(await counts()).toEqual({ ...both(32), fenced: 5 });
    expect([await pendingIds(), await marked()]).toEqual([[lost!.id], 32]);
  });

  it('refuses all when another member has all', async () => {
    const entries = await held([1, 16]);
    await ofOthers(...entries);
    expect(await settled({ whole: entries })).toBe('FF');
    expect([await counts(), await marked()]).toEqual([{ fenced: 17 }, 0]);
  });

  it('reports an entry that was settled long ago, and does not count it again', async () => {
    const entries = await held([16, 5, 16]);
    for (let offset = 16; offset < 21; offset += 1) await bed.command('SETBIT', pageKey(0), offset, 1);
    expect(await settled({ whole: entries })).toBe('SDS');
    expect([await counts(), await pendingIds()]).toEqual([both(32), []]);
  });

  it.each([48, 49, 95, 96])('reports one message that was settled long ago at %s of a long run', async (at) => {
    const entries = await held([16, 16, 16, 16, 16, 16, 16]);
    await bed.command('SETBIT', pageKey(0), at, 1);
    const letters = entries.map(({ base }) => (at >= base && at < base + 16 ? 'D' : 'S')).join('');
    expect(await settled({ whole: entries })).toBe(letters);
    expect(await counts()).toEqual(both(7 * 16 - 1));
  });

  it.each([1, 2, 3])('looks up each entry by itself when more are held than the call says: %s', async (most) => {
    const [unknown, ...entries] = await held([1, 4, 4, 4]);
    const [lost] = entries.slice(1);
    await ofOthers(lost!);
    expect(await settled({ whole: entries, held: most })).toBe('SFS');
    expect(await counts()).toEqual({ ...both(8), fenced: 4 });
    expect(await pendingIds()).toEqual([unknown!.id, lost!.id]);
  });
});

describe('runs', () => {
  it('settle one entry, also in another order than that of their offsets', async () => {
    const [entry] = await held([16]);
    expect(await settled({ runs: [{ entry: entry!, first: 9, n: 7 }, { entry: entry!, first: 0, n: 4 }] })).toBe('SS');
    expect([await counts(), await pendingIds()]).toEqual([both(11), [entry!.id]]);
    expect(await settled({ runs: [{ entry: entry!, first: 4, n: 5 }] })).toBe('S');
    expect([await counts(), await pendingIds(), await marked()]).toEqual([both(16), [], 16]);
  });

  it('settle beside whole entries, each with its own letter', async () => {
    const [first, second, third] = await held([16, 16, 16]);
    const runs = [{ entry: second!, first: 16, n: 15 }, { entry: second!, first: 31, outcome: RETRY }];
    expect(await settled({ whole: [first!, third!], runs })).toBe('SSSS');
    expect(await counts()).toEqual({ settled: 47, handled: 47, retried: 1 });
    expect([await pendingIds(), await bed.command('ZCARD', group().groupKeys.due)]).toEqual([[], 1]);
  });

  it('that are settled in part already count the rest', async () => {
    const [entry] = await held([16]);
    expect(await settled({ runs: [{ entry: entry!, first: 0, n: 4 }] })).toBe('S');
    expect(await settled({ runs: [{ entry: entry!, first: 2, n: 6 }] })).toBe('D');
    expect([await counts(), await marked()]).toEqual([both(8), 8]);
  });

  it('in an entry that was settled long ago are all reported so, not refused', async () => {
    const [entry] = await held([3]);
    for (const offset of [0, 1, 2]) await bed.command('SETBIT', pageKey(0), offset, 1);
    const runs = [{ entry: entry!, first: 0 }, { entry: entry!, first: 2 }, { entry: entry!, first: 1, outcome: DEAD }];
    expect(await settled({ runs })).toBe('DDD');
    expect([await counts(), await pendingIds(), await bed.command('XLEN', group().groupKeys.dead)]).toEqual([{}, [], 0]);
  });

  it('in an entry that another member has by now are refused, message by message', async () => {
    const [entry] = await held([16]);
    await ofOthers(entry!);
    expect(await settled({ runs: [{ entry: entry!, first: 0, n: 9 }, { entry: entry!, first: 12, outcome: DEAD }] })).toBe('FF');
    expect([await counts(), await marked()]).toEqual([{ fenced: 10 }, 0]);
  });
});

describe('a repetition', () => {
  it('after a lost reply reports that all is settled, and counts nothing again', async () => {
    const [first, second, third] = await held([16, 16, 4]);
    const entry = third!;
    const runs = [{ entry, first: 32, n: 2 }, { entry, first: 34, outcome: DEAD }, { entry, first: 35, outcome: RETRY }];
    const call = { whole: [first!, second!], runs };
    expect(await settled(call)).toBe('SSSSS');
    const before = await counts();
    expect(before).toEqual({ settled: 35, handled: 34, deadLettered: 1, retried: 1 });
    expect(await settled({ ...call, repeated: true })).toBe('SSSSS');
    expect(await counts()).toEqual(before);
    const { dead, due } = group().groupKeys;
    expect([await bed.command('XLEN', dead), await bed.command('ZCARD', due), await pendingIds()]).toEqual([1, 1, []]);
  });

  it('after another member was given the unsettled messages refuses only those', async () => {
    const [first, second] = await held([4, 4]);
    expect(await settled({ whole: [first!] })).toBe('S');
    await ofOthers(second!);
    expect(await settled({ whole: [first!, second!], repeated: true })).toBe('SF');
    expect(await counts()).toEqual({ ...both(4), fenced: 4 });
  });

  it('refuses what others put back meanwhile, though that is marked as well: it waits for a member', async () => {
    const [first, second] = await held([4, 4]);
    for (const stream of group().streams) await putBack({ redis: process.redis.control, prefix: bed.prefix }, stream, { owner: 'a', fate: 'left' });
    const runs = [{ entry: second!, first: 4, n: 3 }, { entry: second!, first: 7, outcome: DEAD }];
    expect(await settled({ whole: [first!], runs, repeated: true })).toBe('FFF');
    expect([await counts(), await bed.command('XLEN', group().groupKeys.dead)]).toEqual([{ fenced: 8 }, 0]);
  });

  it('for a foreign entry reports that it is settled', async () => {
    const id = String(await bed.command('XADD', group().keys.log, '1000-7', 'foreign', 'x'));
    await bed.command('XREADGROUP', 'GROUP', 'g', 'a', 'STREAMS', group().keys.log, '>');
    const runs = [{ entry: { id, base: -1, size: 1 }, first: -1, outcome: DEAD }];
    expect(await settled({ runs })).toBe('S');
    expect(await settled({ runs, repeated: true })).toBe('S');
    expect([await counts(), await bed.command('XLEN', group().groupKeys.dead)]).toEqual([{ deadLettered: 1 }, 1]);
  });

  it('counts all once when a page could not be written, with the messages that were marked until then', async () => {
    const entries = await held([16, 16, 16], LAST_OF_PAGE);
    await bed.command('RPUSH', pageKey(1), 'in the way');
    await expect(settled({ whole: entries })).rejects.toThrow(/WRONGTYPE/);
    await bed.command('DEL', pageKey(1));
    expect(await settled({ whole: entries, repeated: true })).toBe('SSS');
    expect([await counts(), await pendingIds()]).toEqual([both(48), []]);
  });
});

describe('an outcome that cannot be added', () => {
  it.each([
    ['a retry', 'due', RETRY, { retried: 1 }, [1, 0, 0]],
    ['a dead letter', 'dead', DEAD, { settled: 1, deadLettered: 1 }, [0, 1, 0]],
    ['a release', 'again', ['release', '2 0 -', ''], {}, [0, 0, 1]],
  ] as const)('%s leaves its message as it was, and the ones before it settled', async (_, name, outcome, added, lengths) => {
    const { groupKeys } = group();
    const { due, dead, again } = groupKeys;
    const [entry] = await held([3]);
    if (name === 'again') await bed.command('RENAME', again, 'away');
    await bed.command('SET', groupKeys[name], 'in the way');
    const runs = [{ entry: entry!, first: 0 }, { entry: entry!, first: 1, outcome }, { entry: entry!, first: 2 }];
    await expect(settled({ runs })).rejects.toThrow(/WRONGTYPE/);
    expect([await counts(), await marked(), await pendingIds()]).toEqual([both(1), 1, [entry!.id]]);
    await bed.command('DEL', groupKeys[name]);
    if (name === 'again') await bed.command('RENAME', 'away', again);
    expect(await settled({ runs, repeated: true })).toBe('SSS');
    const settledNow = 2 + ('settled' in added ? added.settled : 0);
    expect(await counts()).toEqual({ ...both(2), ...added, settled: settledNow });
    expect([await bed.command('ZCARD', due), await bed.command('XLEN', dead), await bed.command('XLEN', again)]).toEqual(lengths);
    expect([await marked(), await pendingIds()]).toEqual([3, []]);
  });
});
