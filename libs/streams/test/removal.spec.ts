import { describe, expect, it, jest } from '@jest/globals';
import { type DeliveryContext, fixed, Topic, topicOf } from '@millrace/core';
import { loadScript } from '@millrace/redis';
import { waitFor } from '@millrace/testing';
import { IsInt } from 'class-validator';
import { SETTLED_PAGE_OFFSETS, settledKey, topicsKey } from '../src/keys.js';
import { Bed } from './bed.js';
import { type Process, signal, subscribe } from './fixture.js';
import { Numbered, numbers, Single } from './topics.js';

type Value = { value: number };

@Topic<Small>('test.small', { retention: { maxMessages: 3 } })
class Small {
  @IsInt() value!: number;
}

const trim = loadScript('../src/scripts/trim.lua', import.meta.url);

class Poison extends Error {}

const TOTAL = 10;
const bed = new Bed('removal');
const retry = { attempts: 2, backoff: fixed('1h'), deadLetterOn: [Poison] };
const all = numbers(TOTAL).map(({ payload }) => payload.value);
const everyKey = async (): Promise<string[]> => ((await bed.command('KEYS', `${bed.prefix}:{test.*`)) as string[]).sort();
const tombstones = (): string[] => [0, 1, 2].map((at) => bed.place(Numbered, 'g', at).keys.removed);
const keysOf = async (group: string): Promise<string[]> => (await everyKey()).filter((key) => key.includes(`:group:${group}`));

/** A group without members: of ten messages six are handled, three wait for a retry, and one is a dead letter. */
async function left(process: Process, group: string): Promise<void> {
  const member = await bed.start();
  const subscription = await subscribe(member, { topic: Numbered, group, retry }, async ({ value }: Value) => {
    if (value < 4) throw value === 3 ? new Poison() : new Error('as planned');
  });
  await waitFor(async () => {
    const { retrying, deadLetters, handled } = await bed.state(process, Numbered, group);
    return retrying === 3 && deadLetters === 1 && handled === 6;
  }, { what: 'the outcomes' });
  await subscription.stop(1_000);
}

/** The messages that a new subscription handles until none is left. */
async function handledAnew(group: string): Promise<number[]> {
  const process = await bed.start();
  const seen: number[] = [];
  const subscription = await subscribe(process, { topic: Numbered, group }, async ({ value }: Value) => void seen.push(value));
  await bed.drained(process, Numbered, group, 10_000);
  expect(await bed.state(process, Numbered, group)).toMatchObject({ lag: 0, handled: seen.length, deadLetters: 0, lost: 0 });
  await subscription.stop(1_000);
  return seen.sort((a, b) => a - b);
}

/** A process whose connection to Redis fails from its nth script of this kind on. */
async function failingAt(script: string, nth: number): Promise<Process> {
  const process = await bed.start();
  const { control } = process.redis;
  const run = control.run.bind(control);
  let calls = 0;
  jest.spyOn(control, 'run').mockImplementation(async (each, keys, args) => {
    if (each.name === script && (calls += 1) >= nth) throw new Error('it died here');
    return run(each, keys, args);
  });
  return process;
}

describe('a group that is removed', () => {
  it('goes with all messages that wait in it, as its preview says, and leaves everything else', async () => {
    const process = await bed.start();
    const { groups } = process.streams;
    await process.publisher.publishMany(Numbered, numbers(TOTAL));
    for (const group of ['g', 'other']) await left(process, group);
    const before = await everyKey();
    const expected = { group: 'g', lag: 3, pending: 0, retrying: 3, deadLetters: 1, forwarding: 0, members: [] };
    expect(await groups.remove(Numbered, 'g', { preview: true })).toEqual(expected);
    expect(await everyKey()).toEqual(before);
    expect(await groups.remove(Numbered, 'g')).toEqual(expected);
    expect(await keysOf('g')).toEqual([]);
    expect(await bed.command('XINFO', 'GROUPS', bed.place(Numbered, 'g').keys.log)).toHaveLength(1);
    await expect(bed.state(process, Numbered, 'g')).rejects.toMatchObject({ code: 'UNKNOWN_GROUP' });
    expect(await bed.state(process, Numbered, 'other')).toMatchObject({ retrying: 3, deadLetters: 1, lag: 3 });
    expect(await groups.remove(Numbered, 'g')).toMatchObject({ lag: 0, retrying: 0, deadLetters: 0 });
    await expect(groups.remove(Numbered, 'unknown')).rejects.toMatchObject({ code: 'UNKNOWN_GROUP' });
  });

  it('is refused while members live, and removed by force: they do not make it again, but a new subscription does', async () => {
    const [process, member] = [await bed.start(), await bed.start()];
    const { groups } = process.streams;
    await process.publisher.publishMany(Numbered, numbers(TOTAL));
    const subscription = await subscribe(member, { topic: Numbered, group: 'g' }, async () => undefined);
    await bed.drained(process, Numbered, 'g');
    const before = await bed.state(process, Numbered, 'g');
    const [living] = (await groups.remove(Numbered, 'g', { preview: true })).members;
    const refused = { code: 'GROUP_BUSY', message: expect.stringContaining(living!) };
    await expect(groups.remove(Numbered, 'g', { within: '0ms' })).rejects.toMatchObject(refused);
    expect(await bed.state(process, Numbered, 'g')).toEqual(before);
    await groups.remove(Numbered, 'g', { force: true });
    await waitFor(() => subscription.problem()?.includes('was removed'), { what: 'the member to know' });
    await process.publisher.publish(Numbered, { value: TOTAL });
    await expect(process.streams.deadLetters.list(Numbered, 'g')).rejects.toMatchObject({ code: 'UNKNOWN_GROUP' });
    expect(await keysOf('g')).toEqual([]);
    const starting = await bed.start();
    const seen: number[] = [];
    await subscribe(starting, { topic: Numbered, group: 'g' }, async ({ value }: Value) => void seen.push(value));
    await waitFor(() => subscription.problem() === null, { what: 'the member to go on in the new group' });
    await bed.drained(process, Numbered, 'g');
    expect(await bed.state(process, Numbered, 'g')).toMatchObject({ handled: TOTAL + 1, lost: 0 });
  });

  it('takes the messages from a member that holds them: its handler is aborted, and it stops without waiting', async () => {
    const [process, member, began, aborted] = [await bed.start(), await bed.start(), signal(), signal()];
    const subscription = await subscribe(member, { topic: Numbered, group: 'g' }, async (_: Value, { signal: abort }: DeliveryContext) => {
      abort.addEventListener('abort', () => aborted.fire());
      began.fire();
      await aborted.promise;
    });
    await process.publisher.publish(Numbered, { value: 1 });
    await began.promise;
    expect(await process.streams.groups.remove(Numbered, 'g', { force: true })).toMatchObject({ pending: 1 });
    await aborted.promise;
    await subscription.stop(60_000);
    expect(await keysOf('g')).toEqual([]);
  });

  it('is removed when its last member is found to have vanished', async () => {
    const [process, member] = [await bed.start(), await bed.start()];
    await subscribe(member, { topic: Numbered, group: 'g' }, () => new Promise(() => undefined));
    await process.publisher.publish(Numbered, { value: 1 });
    await waitFor(async () => (await bed.state(process, Numbered, 'g')).pending === 1, { what: 'it to be in hand' });
    member.vanish();
    expect(await process.streams.groups.remove(Numbered, 'g')).toMatchObject({ pending: 1, lag: 1 });
    expect(await keysOf('g')).toEqual([]);
  });

  it.each([1, 2, 3, 4, 5, 6])('never counts as whole when the removal breaks off at call %i', async (nth) => {
    const process = await bed.start();
    await process.publisher.publishMany(Numbered, numbers(TOTAL));
    await left(process, 'g');
    const failing = await failingAt('remove.lua', nth);
    await expect(failing.streams.groups.remove(Numbered, 'g')).rejects.toThrow('it died here');
    await expect(bed.state(process, Numbered, 'g')).rejects.toMatchObject({ code: 'UNKNOWN_GROUP' });
    if (nth % 2 === 0) await process.streams.groups.remove(Numbered, 'g');
    expect(await handledAnew('g')).toEqual(all);
  });

  it('is not touched again, once it was declared anew, by a removal that comes late', async () => {
    const process = await bed.start();
    await process.publisher.publishMany(Numbered, numbers(TOTAL));
    await left(process, 'g');
    const slow = await bed.start();
    const { control } = slow.redis;
    const run = control.run.bind(control);
    jest.spyOn(control, 'run').mockImplementation(async (script, keys, args) => {
      if (script.name === 'remove.lua' && keys[0]!.includes(':1}')) expect(await handledAnew('g')).toEqual(all);
      return run(script, keys, args);
    });
    await slow.streams.groups.remove(Numbered, 'g');
    expect(await bed.state(process, Numbered, 'g')).toMatchObject({ handled: TOTAL, lag: 0 });
  });

  it('lets go of pending entries in pages, leaves the rest to the thread that frees, and finds every page of its bitmap', async () => {
    const process = await bed.start();
    await process.streams.declare(topicOf(Numbered));
    await process.publisher.publishMany(Numbered, numbers(10_000));
    const { groupKeys: { due }, keys: { log, meta } } = bed.place(Numbered, 'g');
    await subscribe(process, { topic: Numbered, group: 'g', start: 'latest' }, async () => undefined);
    await process.streams.stop(1_000);
    await bed.command('XGROUP', 'SETID', log, 'g', '0');
    await bed.command('XREADGROUP', 'GROUP', 'g', 'gone', 'COUNT', 10_000, 'STREAMS', log, '>');
    await bed.command('EVAL', "for i = 1, 100000 do redis.call('ZADD', KEYS[1], i, i) end", 1, due);
    await bed.command('HSET', meta, 'next', 2_000 * SETTLED_PAGE_OFFSETS);
    const far = settledKey(bed.prefix, bed.place(Numbered, 'g'), 1_999 * SETTLED_PAGE_OFFSETS);
    await bed.command('SETBIT', far, 1, 1);
    const admin = await bed.start();
    const run = jest.spyOn(admin.redis.control, 'run');
    const freed = async (): Promise<number> => Number(/lazyfreed_objects:(\d+)/.exec(String(await bed.command('INFO', 'memory')))![1]);
    const before = await freed();
    expect(await admin.streams.groups.remove(Numbered, 'g')).toMatchObject({ retrying: 100_000 });
    expect(await keysOf('g')).toEqual([]);
    await waitFor(async () => (await freed()) > before, { what: 'the other thread to free it' });
    const inFirst = run.mock.calls.filter(([script, keys]) => script.name === 'remove.lua' && keys[1] === log);
    expect(inFirst.length).toBeGreaterThan(3);
  });
});

describe('a publish that is refused because its log is full', () => {
  it('says when the group that fills it has no living member, and finds room when the group is removed', async () => {
    const [process, member] = [await bed.start(), await bed.start()];
    const { stats } = bed.place(Small, 'sleeper').groupKeys;
    const publish = (): Promise<unknown> => process.publisher.publish(Small, { value: 1 });
    await subscribe(member, { topic: Small, group: 'sleeper' }, async () => undefined);
    await member.stop();
    for (let count = 0; count < 3; count += 1) await publish();
    await expect(publish()).rejects.toMatchObject({ code: 'BACK_PRESSURE', message: expect.not.stringContaining('no living member') });
    await bed.command('HINCRBY', stats, 'seen', -3_600_000);
    await expect(publish()).rejects.toThrow(/Group 'sleeper' .* no living member since 36\d\d s: .*Groups\.remove/);
    await process.streams.groups.remove(Small, 'sleeper');
    await publish();
  });
});

describe('a trim that looked before a group was removed', () => {
  it('does nothing: the group neither holds the log nor gets a counter again', async () => {
    const process = await bed.start();
    await process.publisher.publish(Small, { value: 1 });
    await (await subscribe(process, { topic: Small, group: 'g' }, async () => undefined)).stop(1_000);
    await process.streams.groups.remove(Small, 'g', { force: true });
    const { keys: { log, meta, groups }, groupKeys: { stats, open, body } } = bed.place(Small, 'g');
    const pages = [0, SETTLED_PAGE_OFFSETS].map((offset) => settledKey(bed.prefix, bed.place(Small, 'g'), offset));
    const args = [SETTLED_PAGE_OFFSETS, 0, 0, 3, 0, 3, 0, 'drop-group', 1, -1, 'g'];
    expect(await process.redis.control.run(trim, [log, meta, groups, stats, ...pages, open, body], args)).toBe('AGAIN');
    expect(await bed.command('EXISTS', stats)).toBe(0);
  });
});

describe('an operator', () => {
  it('lists the topics of the prefix, and the groups of each with when a member was last there', async () => {
    const process = await bed.start();
    const { inspector } = process.streams;
    expect(await inspector.topics()).toEqual([]);
    await process.streams.declare(topicOf(Single));
    for (const group of ['g', 'a']) await subscribe(process, { topic: Numbered, group }, async () => undefined);
    await process.streams.groups.remove(Numbered, 'a', { force: true });
    expect(await inspector.topics()).toEqual([{ name: 'test.numbered', partitions: 3 }, { name: 'test.single', partitions: 1 }]);
    expect(await inspector.groups(Numbered)).toEqual([{ name: 'g', seen: expect.any(Date) }]);
    expect(await inspector.groups(Single)).toEqual([]);
    const seen = (await inspector.groups(Numbered)).map((group) => group.seen!.getTime() / 1_000);
    const seconds = Number(((await bed.command('TIME')) as string[])[0]);
    expect(seconds - seen[0]!).toBeLessThan(60);
  });
});

describe('a topic that is removed', () => {
  it('goes with its messages and groups; running publishers are refused, and a declaration makes it anew', async () => {
    const [process, admin] = [await bed.start(), await bed.start()];
    await process.publisher.publishMany(Numbered, numbers(TOTAL));
    await process.publisher.publish(Numbered, { value: TOTAL }, { delay: '1h', idempotencyKey: 'k' });
    await left(process, 'g');
    const expected = { messages: TOTAL, delayed: 1, groups: [{ group: 'g', lag: 3, pending: 0, retrying: 3, deadLetters: 1, forwarding: 0, members: [] }] };
    expect(await admin.streams.topics.remove(Numbered, { preview: true })).toEqual(expected);
    expect(await admin.streams.topics.remove(Numbered)).toEqual(expected);
    expect(await everyKey()).toEqual(tombstones());
    const refused = { code: 'REMOVED', retryable: false };
    await expect(process.publisher.publish(Numbered, { value: 1 })).rejects.toMatchObject(refused);
    await expect(process.publisher.publish(Numbered, { value: 1 }, { delay: '1h' })).rejects.toMatchObject(refused);
    const starting = await bed.start();
    await expect(starting.publisher.publish(Numbered, { value: 1 })).rejects.toMatchObject(refused);
    expect(await everyKey()).toEqual(tombstones());
    expect(await bed.command('EXISTS', topicsKey(bed.prefix))).toBe(0);
    await starting.streams.declare(topicOf(Numbered));
    await process.publisher.publishMany(Numbered, numbers(TOTAL));
    expect(await handledAnew('g')).toEqual(all);
  });

  it('is refused while a member of any group lives, and may have another number of partitions afterwards', async () => {
    const [process, member] = [await bed.start(), await bed.start()];
    const { topics } = process.streams;
    await expect(topics.remove(Numbered)).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC' });
    const subscription = await subscribe(member, { topic: Numbered, group: 'g' }, async () => undefined);
    await expect(topics.remove(Numbered, { within: '0ms' })).rejects.toMatchObject({ code: 'GROUP_BUSY' });
    await subscription.pause();
    await topics.remove(Numbered, { force: true });
    await waitFor(() => subscription.problem()?.includes('was removed'), { what: 'the member to know' });
    expect(await everyKey()).toEqual(tombstones());
    await process.streams.declare({ ...topicOf(Numbered), partitions: 4 });
    expect(await process.streams.inspector.topics()).toEqual([{ name: 'test.numbered', partitions: 4 }]);
  });

  it.each([1, 2, 4, 6, 9, 10, 12])('never counts as whole when the removal breaks off at call %i', async (nth) => {
    const process = await bed.start();
    await process.publisher.publishMany(Numbered, numbers(TOTAL));
    await left(process, 'g');
    const failing = await failingAt('remove.lua', nth);
    await expect(failing.streams.topics.remove(Numbered)).rejects.toThrow('it died here');
    if (nth % 2 === 0) await process.streams.topics.remove(Numbered);
    const starting = await bed.start();
    await starting.streams.declare(topicOf(Numbered));
    await starting.publisher.publishMany(Numbered, numbers(TOTAL));
    expect(await handledAnew('g')).toEqual(all);
  });
});
