import { beforeEach, describe, expect, it } from '@jest/globals';
import { type DeliveryContext, topicOf } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import fc from 'fast-check';
import { partitionKeys } from '../src/keys.js';
import { spanOfId } from '../src/log/entry-id.js';
import { locate } from '../src/log/locate.js';
import { LogTrim } from '../src/retain/log-trim.js';
import { Bed } from './bed.js';
import { type Process, subscribe } from './fixture.js';
import { numbers, Single } from './topics.js';

type Value = { value: number };

const bed = new Bed('entry-ids');
const keys = (): ReturnType<typeof partitionKeys> => partitionKeys(bed.prefix, 'test.single', 0);
let process: Process;

beforeEach(async () => {
  process = await bed.start({ messagesPerEntry: 4 });
  await process.streams.declare(topicOf(Single));
});

const ids = async (): Promise<string[]> => ((await bed.command('XRANGE', keys().log, '-', '+')) as [string][]).map(([id]) => id);
const msOf = (id: string): string => id.split('-')[0]!;

/** Acts as if the last entry had been written in an hour, before the clock was set back. */
async function setClockBack(): Promise<string> {
  const ms = String(Date.now() + 3_600_000);
  await bed.command('HSET', keys().meta, 'ms', ms);
  return ms;
}

async function publishAll(values: readonly number[]): Promise<(number | null)[]> {
  const results = await process.publisher.publishMany(Single, values.map((value) => ({ payload: { value } })));
  return results.map(({ offset }) => offset);
}

describe('the id of an entry', () => {
  it('holds the offset of its first message and how many there are', async () => {
    await publishAll([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect((await ids()).map(spanOfId)).toEqual([{ base: 0, size: 4 }, { base: 4, size: 4 }, { base: 8, size: 2 }]);
    expect(await bed.command('HGET', keys().meta, 'ms')).toBe(msOf((await ids()).at(-1)!));
  });

  it.each(['9007199254740992', '18446744073709551615'])('that is too high for a number gives no span: %s', (number) => {
    expect(spanOfId(`1-${number}`)).toBeNull();
  });

  it('has the ms of the last id when the clock was set back: nothing is refused', async () => {
    const ms = await setClockBack();
    expect(await publishAll([0, 1, 2, 3, 4])).toEqual([0, 1, 2, 3, 4]);
    for (const value of [5, 6]) expect(await publishAll([value])).toEqual([value]);
    expect(await ids()).toEqual([`${ms}-3`, `${ms}-${4 * 16}`, `${ms}-${5 * 16}`, `${ms}-${6 * 16}`]);
  });

  it.each([['ms'], ['next'], ['next', 'ms', 'generation', 'format']])('restores %s %s %s %s of the meta, also after the clock was set back', async (...fields) => {
    const ms = await setClockBack();
    await publishAll([0, 1, 2, 3, 4, 5]);
    await bed.command('HDEL', keys().meta, ...fields);
    expect(await publishAll([6])).toEqual([6]);
    expect((await ids()).at(-1)).toBe(`${ms}-${6 * 16}`);
    expect(await bed.command('HMGET', keys().meta, 'next', 'ms')).toEqual(['7', ms]);
  });

  it('refuses a next offset that is too low, until that is corrected from the log', async () => {
    await setClockBack();
    for (const value of [0, 1, 2]) await publishAll([value]);
    await bed.command('HSET', keys().meta, 'next', 1);
    await expect(process.publisher.publish(Single, { value: 3 }, { deadline: '200ms' })).rejects.toThrow(/holds offsets from the next one on/);
    expect(await ids()).toHaveLength(3);
    await bed.command('HDEL', keys().meta, 'next');
    expect(await publishAll([3])).toEqual([3]);
  });
});

describe('the id to read after', () => {
  it('comes before its entry and behind all others, and holds the offset, whatever the entries contain', async () => {
    const entry = fc.tuple(fc.integer({ min: 1, max: 16 }), fc.integer({ min: 0, max: 1 }));
    await fc.assert(fc.asyncProperty(fc.array(entry, { minLength: 1, maxLength: 12 }), async (entries) => {
      await bed.command('DEL', keys().log);
      let [base, ms] = [0, 1_000];
      for (const [size, later] of entries) {
        ms += later;
        await bed.command('XADD', keys().log, `${ms}-${base * 16 + size - 1}`, 'm', '[]');
        base += size;
      }
      await bed.command('HSET', keys().meta, 'next', base);
      for (const offset of Array.from({ length: base }, (_, index) => index)) await expectLocated(offset);
    }), { numRuns: 25 });
  });

  async function expectLocated(offset: number): Promise<void> {
    const { after, offset: found } = await locate(process.redis.control, keys(), { offset });
    const [[next]] = (await bed.command('XRANGE', keys().log, `(${after}`, '+', 'COUNT', 1)) as [[string]];
    const span = spanOfId(next)!;
    expect([found, offset >= span.base && offset < span.base + span.size]).toEqual([offset, true]);
    const before = after === '0-0' ? { base: 0, size: 0 } : spanOfId(after)!;
    expect(before.base + before.size).toBe(span.base);
  }
});

describe('a foreign entry', () => {
  const far = '9999999999999-99999';
  const last = '18446744073709551614-18446744073709551615';
  const foreign: [string, string, string[]][] = [
    ['an id of Redis', '*', ['foreign', 'field']],
    ['an id in the year 2286', far, ['foreign', 'field']],
    ['an id that numbers of Lua cannot hold', last, ['foreign', 'field']],
    ['an id that could be ours', '9999999999999-1600', ['foreign', 'field']],
    ['our field, with another content', '*', ['m', 'no array']],
    ['our field, and one more', '*', ['m', '[]', 'more', '']],
    ['the fields of an earlier version', far, ['o', '2', 'n', '1', 'm', '[[1,"id",null,null,null,{"value":9}]]']],
  ];

  it.each(foreign)('with %s is dead-lettered, and changes nothing for the entries around it', async (_, id, fields) => {
    const seen: [number, number][] = [];
    await publishAll([0, 1]);
    await bed.command('XADD', keys().log, id, ...fields);
    expect(await publishAll([2, 3, 4])).toEqual([2, 3, 4]);
    await subscribe(process, { topic: Single, group: 'g' }, async ({ value }: Value, { offset }: DeliveryContext) => void seen.push([value, offset]));
    await bed.drained(process, Single, 'g');
    expect(seen.sort(([one], [other]) => one - other)).toEqual([0, 1, 2, 3, 4].map((value) => [value, value]));
    expect(await bed.state(process, Single, 'g')).toMatchObject({ handled: 5, lost: 0, deadLettered: 1 });
    expect(await bed.deadLetters(process, Single, 'g')).toMatchObject([{ reason: 'MALFORMED_ENVELOPE', origin: { offset: -1 } }]);
  });

  it.each(foreign)('with %s is no position for a group, and does not keep it from others', async (_, id, fields) => {
    await publishAll([0, 1]);
    await bed.command('XADD', keys().log, id, ...fields);
    const first = await subscribe(process, { topic: Single, group: 'g' }, async () => undefined);
    await bed.drained(process, Single, 'g');
    await first.stop(1_000);
    const preview = { partition: 0, skipped: 0, retriesDropped: 0 };
    expect(await process.streams.groups.seek(Single, 'g', { to: 'latest', preview: true })).toEqual([{ ...preview, from: 2, to: 2, again: 0 }]);
    await publishAll([2, 3]);
    expect(await process.streams.groups.seek(Single, 'g', { to: { offset: 2 }, preview: true })).toEqual([{ ...preview, from: 2, to: 2, again: 0 }]);
    expect(await process.streams.groups.seek(Single, 'g', { to: { offset: 1 } })).toEqual([{ ...preview, from: 2, to: 1, again: 1 }]);
    expect((await bed.state(process, Single, 'g')).lag).toBe(3);
    const seen: number[] = [];
    await subscribe(process, { topic: Single, group: 'g' }, async ({ value }: Value) => void seen.push(value));
    await bed.drained(process, Single, 'g');
    expect(seen.sort()).toEqual([1, 2, 3]);
  });

  it.each(foreign)('with %s does not decide where the offsets go on when the meta is lost', async (_, id, fields) => {
    await publishAll(numbers(6).map(({ payload }) => payload.value));
    await bed.command('XADD', keys().log, id, ...fields);
    await bed.command('DEL', keys().meta);
    expect(await publishAll([6])).toEqual([6]);
  });

  it('does not decide either where the offsets go on when it was the last entry that retention removed', async () => {
    const retention = { settled: false, maxAgeMs: 1, maxMessages: null, maxBytes: null, overflow: 'reject', dropGroupAfterMs: 0 } as const;
    const topic = { ...topicOf(Single), retention };
    await publishAll([0, 1, 2]);
    await bed.command('XADD', keys().log, '*', 'foreign', 'field');
    const trim = new LogTrim(process.redis, bed.prefix, topic);
    const isEmpty = async (): Promise<boolean> => {
      await trim.trim({ partition: 0, wanted: 0, everyMs: 0 });
      return (await ids()).length === 0;
    };
    await waitFor(isEmpty, { what: 'all to be old' });
    await bed.command('DEL', keys().meta);
    expect(await publishAll([3])).toEqual([3]);
  });
});
