import { afterEach, describe, expect, it } from '@jest/globals';
import { deliveryPipeline, type DeliveryContext, fixed, listen, type Subscription, topicOf } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { Bed } from './bed.js';
import { SelectiveProxy } from './crashes/selective-proxy.js';
import { type Process, signal, startProcess } from './fixture.js';
import { storedEntry } from './stored-entry.js';
import { Numbered, numbers, Single } from './topics.js';

type Value = { value: number };
type Handle = (payload: Value, context: DeliveryContext) => Promise<void>;

const bed = new Bed('broadcast');
const heard: (() => void)[] = [];
afterEach(() => {
  for (const stop of heard.splice(0)) stop();
});

const retry = { attempts: 3, backoff: fixed('1ms'), deadLetterOn: [] };

interface Target {
  readonly topic?: typeof Single | typeof Numbered;
  readonly concurrency?: number;
}

function follow(process: Process, handle: Handle, target: Target = {}): Promise<Subscription> {
  const topic = topicOf(target.topic ?? Single);
  const handler = deliveryPipeline({ topic, group: '~broadcast', retry, handle: handle as never });
  return process.streams.broadcast({ topic, concurrency: target.concurrency ?? 4 }, handler);
}

const sorted = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);
const all = (count: number): number[] => numbers(count).map(({ payload }) => payload.value);

/** How many reads of the follower have ended, with messages or without. */
async function reads(): Promise<number> {
  const stats = String(await bed.command('INFO', 'commandstats'));
  return Number(/cmdstat_xread:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

/** Rings as the script does that stores a message; with this id there is something that the follower has not read. */
const ring = (id = '1-0'): Promise<unknown> => bed.command('SPUBLISH', bed.place(Single, 'g').keys.ring, `log ${id}`);

/** Resolves when the follower has read no new entry: then it checks its log, and may read on from another position. */
async function quiet(): Promise<void> {
  const before = await reads();
  await ring();
  await waitFor(async () => (await reads()) > before, { what: 'a read to bring nothing' });
}

const losses: [how: string, lose: () => Promise<unknown>][] = [
  ['all of its data', () => bed.command('FLUSHALL')],
  ['the log alone', () => bed.command('DEL', bed.place(Single, 'g').keys.log)],
  ['the log and its count', () => bed.command('DEL', bed.place(Single, 'g').keys.log, bed.place(Single, 'g').keys.meta)],
  ['its scripts', () => bed.command('SCRIPT', 'FLUSH')],
  ['its memory, by a restart without a disk', () => bed.server.restart()],
];

describe('a broadcast', () => {
  it('reaches every process, from when it follows on, and leaves nothing behind', async () => {
    const [one, two] = [await bed.start(), await bed.start()];
    const seen: number[][] = [[], [], []];
    await one.publisher.publish(Numbered, { value: 1_000 });
    await follow(one, async ({ value }) => void seen[0]!.push(value), { topic: Numbered });
    await follow(one, async ({ value }) => void seen[1]!.push(value), { topic: Numbered });
    await follow(two, async ({ value }) => void seen[2]!.push(value), { topic: Numbered });
    await one.publisher.publishMany(Numbered, numbers(100));
    await waitFor(() => seen.every(({ length }) => length === 100), { what: 'all to reach all' });
    for (const values of seen) expect(sorted(values)).toEqual(all(100));
    for (const partition of [0, 1, 2]) {
      expect(await bed.command('XINFO', 'GROUPS', bed.place(Numbered, 'g', partition).keys.log)).toEqual([]);
    }
  });

  it('retries messages that fail, then gives them up and emits that', async () => {
    const process = await bed.start();
    const reported: string[] = [];
    heard.push(listen('attempt-failed', ({ attempt, outcome }) => void reported.push(`${attempt} ${outcome}`)));
    const seen: string[] = [];
    await follow(process, async ({ value }, { attempt }) => {
      seen.push(`${value}/${attempt}`);
      if (value === 0 || attempt === 1) throw new Error('as planned');
    });
    await process.publisher.publishMany(Single, numbers(2));
    await waitFor(() => reported.length === 4 && seen.length === 5, { what: 'both to end' });
    expect(seen.sort()).toEqual(['0/1', '0/2', '0/3', '1/1', '1/2']);
    expect(reported.sort()).toEqual(['1 retry', '1 retry', '2 retry', '3 given-up']);
  });

  it('handles no more messages at once than there are slots, and loses none that come meanwhile', async () => {
    const process = await bed.start();
    const seen: number[] = [];
    const hold = signal();
    let most = 0;
    let running = 0;
    await follow(process, async ({ value }) => {
      running += 1;
      most = Math.max(most, running);
      await hold.promise;
      running -= 1;
      seen.push(value);
    }, { concurrency: 3 });
    await process.publisher.publishMany(Single, numbers(50));
    await waitFor(() => running === 3, { what: 'the slots to be taken' });
    hold.fire();
    await waitFor(() => seen.length === 50, { what: 'all to be handled' });
    expect(most).toBe(3);
    expect(sorted(seen)).toEqual(all(50));
  });

  it('goes on after a cut connection without missing or doubling anything', async () => {
    const { process, proxy } = await bed.startBehindProxy();
    const other = await bed.start();
    const seen: number[] = [];
    await follow(process, async ({ value }) => void seen.push(value));
    for (const value of all(30)) {
      await other.publisher.publish(Single, { value });
      if (value % 10 === 5) proxy.reset();
    }
    await waitFor(() => seen.length >= 30, { what: 'all to come' });
    expect(sorted(seen)).toEqual(all(30));
  });

  it('follows the log that is made anew after FLUSHALL', async () => {
    const process = await bed.start();
    const seen: number[] = [];
    const subscription = await follow(process, async ({ value }) => void seen.push(value));
    await process.publisher.publish(Single, { value: 1 });
    await waitFor(() => seen.length === 1, { what: 'the first' });
    await bed.command('FLUSHALL');
    // As after a restore, or a clock that was set back: the ids of the new log are lower.
    await process.streams.declare(topicOf(Single));
    await bed.command('XADD', bed.place(Single, 'g').keys.log, ...storedEntry(0, ['[1,"01900000-0000-7000-8000-000000000000",null,null,null,{"value":2}]'], 1));
    await ring();
    await waitFor(() => seen.length === 2, { what: 'the message of the new log', timeoutMs: 10_000 });
    expect(seen).toEqual([1, 2]);
    expect(subscription.problem()).toBeNull();
  });

  it.each(losses)('handles each message once though Redis loses %s while messages come without a pause', async (_, lose) => {
    const process = await bed.start();
    const seen: number[] = [];
    await follow(process, async ({ value }) => void seen.push(value));
    await process.publisher.publish(Single, { value: 1_000 });
    await waitFor(() => seen.length === 1, { what: 'the first' });
    await lose();
    for (const value of all(60)) await process.publisher.publish(Single, { value });
    await waitFor(() => seen.includes(59), { what: 'the last' });
    await quiet();
    await process.publisher.publish(Single, { value: 2_000 });
    await waitFor(() => seen.includes(2_000), { what: 'the one after the quiet' });
    expect(seen).toEqual([1_000, ...all(60), 2_000]);
  });

  it('handles each message once when Redis lost a log before it had read any message of it', async () => {
    const process = await bed.start();
    const seen: number[] = [];
    await follow(process, async ({ value }) => void seen.push(value));
    await bed.command('FLUSHALL');
    for (const value of all(3)) await process.publisher.publish(Single, { value });
    await waitFor(() => seen.includes(2), { what: 'the last' });
    await quiet();
    await process.publisher.publish(Single, { value: 2_000 });
    await waitFor(() => seen.includes(2_000), { what: 'the one after the quiet' });
    expect(seen).toEqual([...all(3), 2_000]);
  });

  it('misses and doubles nothing when the ids of the new log begin below the ids that it has read, and pass them', async () => {
    const process = await bed.start();
    const [seen, lost] = [[] as number[], [] as number[]];
    heard.push(listen('lost', ({ count }) => void lost.push(count)));
    await follow(process, async ({ value }) => void seen.push(value));
    // One, and then none, of the messages that were read has the offset of a message of the new log.
    await process.publisher.publishMany(Single, numbers(2));
    await waitFor(() => seen.length === 2, { what: 'the first' });
    await bed.command('FLUSHALL');
    await process.streams.declare(topicOf(Single));
    const { log } = bed.place(Single, 'g').keys;
    const envelope = (value: number): string => `[1,"01900000-0000-7000-8000-00000000000${value}",null,null,null,{"value":${value}}]`;
    for (const value of [0, 1, 2, 3]) {
      await bed.command('XADD', log, ...storedEntry(value, [envelope(value + 5)], value < 2 ? 1 : Date.now()));
    }
    await bed.command('HSET', bed.place(Single, 'g').keys.meta, 'next', 4);
    await ring();
    await waitFor(() => seen.includes(8), { what: 'the last' });
    await quiet();
    await process.publisher.publish(Single, { value: 2_000 });
    await waitFor(() => seen.includes(2_000), { what: 'the one after the quiet' });
    expect(sorted(seen)).toEqual([0, 1, 5, 6, 7, 8, 2_000]);
    expect(lost).toEqual([]);
  });

  it('emits how many messages were removed before it read them', async () => {
    const process = await bed.start();
    const lost: number[] = [];
    heard.push(listen('lost', ({ count }) => void lost.push(count)));
    const seen: number[] = [];
    const subscription = await follow(process, async ({ value }) => void seen.push(value));
    await subscription.pause();
    await process.publisher.publish(Single, { value: 0 });
    await process.publisher.publishMany(Single, numbers(10).slice(1));
    const { log } = bed.place(Single, 'g').keys;
    await bed.command('XTRIM', log, 'MAXLEN', 3);
    subscription.resume();
    await waitFor(() => seen.includes(9), { what: 'the last' });
    // Messages that were read before the pause took effect are no loss.
    expect(lost.reduce((sum, count) => sum + count, 0) + seen.length).toBe(10);
  });

  it('has no connection of its own', async () => {
    const process = await bed.start();
    for (const topic of [Single, Numbered]) await follow(process, async () => undefined, { topic });
    const clients = async (): Promise<string[]> => String(await bed.command('CLIENT', 'LIST')).split('\n').filter((line) => !/name=spec:/.test(line));
    await waitFor(async () => (await clients()).some((line) => line.includes(' ssub=4 ')), { what: 'the rings of all partitions to be heard' });
    expect((await clients()).map((line) => / name=millrace:(\S+)/.exec(line)?.[1] ?? []).flat().sort()).toEqual(['control', 'publish', 'rings']);
  });

  it.each([
    ['its connection for rings is cut', 'break'],
    ['its connection for rings is silent', 'keep'],
  ] as const)('gets a message while %s', async (_, verdict) => {
    const proxy = await SelectiveProxy.start(bed.url);
    const process = await startProcess(proxy.url, { prefix: bed.prefix, leaseMs: 30_000 });
    const publisher = await bed.start();
    heard.push(() => void process.stop().then(() => proxy.stop()));
    const seen: number[] = [];
    await follow(process, async ({ value }) => void seen.push(value));
    await waitFor(async () => / ssub=1 /.test(String(await bed.command('CLIENT', 'LIST'))), { what: 'rings to be heard' });
    proxy.follow(({ name, direction }) => (name.endsWith(':rings') && direction === 'reply' ? verdict : 'pass'));
    await publisher.publisher.publishMany(Single, numbers(3));
    await waitFor(() => seen.length === 3, { what: 'the messages', timeoutMs: 20_000 });
    proxy.pass();
    await publisher.publisher.publish(Single, { value: 3 });
    await waitFor(() => seen.length === 4, { what: 'the next one', timeoutMs: 20_000 });
    expect(seen).toEqual(all(4));
  });

  it('starts no handler after it is stopped, and waits for those at work', async () => {
    const process = await bed.start();
    const hold = signal();
    const seen: string[] = [];
    const subscription = await follow(process, async ({ value }) => {
      seen.push(`begin ${value}`);
      await hold.promise;
      seen.push(`end ${value}`);
    }, { concurrency: 1 });
    await process.publisher.publishMany(Single, numbers(3));
    await waitFor(() => seen.length === 1, { what: 'the first to begin' });
    const stopped = subscription.stop(5_000);
    hold.fire();
    await stopped;
    expect(seen).toEqual(['begin 0', 'end 0']);
  });
});
