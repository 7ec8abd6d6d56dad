import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type EventMap, fixed, isMillraceError, listen, type PayloadClass, type RetentionOptions, Topic, topicOf } from '@millrace/core';
import { loadScript, RedisFailure } from '@millrace/redis';
import { waitFor } from '@millrace/testing';
import { IsInt, IsOptional, IsString } from 'class-validator';
import { partitionKeys, SETTLED_PAGE_OFFSETS, settledKey } from '../src/keys.js';
import { PartitionBatcher } from '../src/publish/partition-batcher.js';
import { PublishBudget } from '../src/publish/publish-budget.js';
import type { Capacity } from '../src/retain/log-trim.js';
import type { RetainedPartition } from '../src/retain/retained-partition.js';
import { Bed } from './bed.js';
import { type Process, signal, subscribe } from './fixture.js';
import { storedEntry } from './stored-entry.js';
import { numbers } from './topics.js';

interface Value {
  value: number;
  more?: string;
}

function retained(retention: RetentionOptions): PayloadClass<Value> {
  @Topic('test.retained', { retention })
  class Retained {
    @IsInt() value!: number;
    @IsOptional() @IsString() more?: string;
  }
  return Retained;
}

const trim = loadScript('../src/scripts/trim.lua', import.meta.url);
const bed = new Bed('retention');
const keys = (): ReturnType<typeof partitionKeys> => partitionKeys(bed.prefix, 'test.retained', 0);
const length = async (): Promise<number> => Number(await bed.command('XLEN', keys().log));
const values = (count: number, from = 0): number[] => Array.from({ length: count }, (_, index) => index + from);
const lost: EventMap['lost'][] = [];
let stopListening: () => void;

beforeEach(() => {
  lost.length = 0;
  stopListening = listen('lost', (event) => lost.push(event));
});
afterEach(() => stopListening());

/** A group that exists in the log and handles no message. */
async function idleGroup(process: Process, topic: PayloadClass, group: string): Promise<void> {
  const subscription = await subscribe(process, { topic, group }, async () => undefined);
  await subscription.stop(1_000);
}

/** Handles messages, and remembers their values. */
async function handling(process: Process, topic: PayloadClass, group: string): Promise<number[]> {
  const seen: number[] = [];
  await subscribe(process, { topic, group }, async ({ value }: Value) => void seen.push(value));
  return seen;
}

async function publishAll(process: Process, topic: PayloadClass<Value>, count: number): Promise<void> {
  for (const value of values(count)) await process.publisher.publish(topic, { value });
}

/** Publishes as a caller who does not give up. */
async function publishStubbornly(process: Process, topic: PayloadClass<Value>, value: number): Promise<void> {
  const publish = async (): Promise<boolean> => {
    try {
      await process.publisher.publish(topic, { value });
      return true;
    } catch (error) {
      if (isMillraceError(error) && error.code === 'BACK_PRESSURE') return false;
      throw error;
    }
  };
  await waitFor(publish, { what: 'room for a message', timeoutMs: 20_000 });
}

describe('maxMessages', () => {
  const topic = retained({ maxMessages: 10 });

  it('is never passed, and settled messages make room', async () => {
    const [process, member] = [await bed.start(), await bed.start()];
    const seen = await handling(member, topic, 'g');
    for (const value of values(60)) {
      await publishStubbornly(process, topic, value);
      expect(await length()).toBeLessThanOrEqual(10);
    }
    await bed.drained(process, topic, 'g');
    expect(seen).toEqual(values(60));
    expect(await bed.command('HGET', keys().meta, 'next')).toBe('60');
  });

  it('removes nothing that a group has not settled, though some are slow, fail or have read nothing', async () => {
    const [process, fast, slow] = [await bed.start(), await bed.start(), await bed.start({ messagesPerEntry: 3 })];
    const handled = { fast: new Set<number>(), slow: new Set<number>(), failing: new Set<number>(), late: new Set<number>() };
    await subscribe(fast, { topic, group: 'fast' }, async ({ value }: Value) => void handled.fast.add(value));
    await subscribe(slow, { topic, group: 'slow', concurrency: 2 }, async ({ value }: Value) => {
      for (let turn = 0; turn < 20; turn += 1) await new Promise(setImmediate);
      handled.slow.add(value);
    });
    const retry = { attempts: 5, backoff: fixed('5ms'), deadLetterOn: [] };
    await subscribe(fast, { topic, group: 'failing', retry }, async ({ value }: Value, { attempt }: { attempt: number }) => {
      if (attempt < 3) throw new Error('as planned');
      handled.failing.add(value);
    });
    await idleGroup(fast, topic, 'late');
    const publishing = Promise.all(values(150).map((value) => publishStubbornly(value % 2 === 0 ? process : slow, topic, value)));
    await waitFor(async () => (await length()) > 0, { what: 'the first to be stored' });
    await waitFor(async () => (await bed.state(process, topic, 'fast')).lag === 0 && (await bed.state(process, topic, 'late')).lag === 10, { what: 'the late one to hold all' });
    await subscribe(slow, { topic, group: 'late' }, async ({ value }: Value) => void handled.late.add(value));
    await publishing;
    for (const group of ['fast', 'slow', 'failing', 'late'] as const) {
      await bed.drained(process, topic, group);
      expect([...handled[group]].sort((a, b) => a - b)).toEqual(values(150));
    }
    expect(lost).toEqual([]);
  });

  it('refuses a publish while a group has read nothing, and names the group', async () => {
    const process = await bed.start();
    await idleGroup(process, topic, 'sleeper');
    await publishAll(process, topic, 10);
    const refused = process.publisher.publish(topic, { value: 10 });
    await expect(refused).rejects.toMatchObject({ code: 'BACK_PRESSURE', retryable: true, message: expect.stringContaining("Group 'sleeper'") });
    expect(await length()).toBe(10);
  });

  it('still answers duplicates, and takes delayed messages, while the log is full', async () => {
    const process = await bed.start();
    await idleGroup(process, topic, 'sleeper');
    await process.publisher.publish(topic, { value: 0 }, { idempotencyKey: 'k' });
    for (const value of values(9, 1)) await process.publisher.publish(topic, { value });
    expect(await process.publisher.publish(topic, { value: 0 }, { idempotencyKey: 'k' })).toMatchObject({ offset: 0, duplicate: true });
    expect(await process.publisher.publish(topic, { value: 10 }, { delay: '1h' })).toMatchObject({ offset: null });
    await expect(process.publisher.publish(topic, { value: 11 })).rejects.toMatchObject({ code: 'BACK_PRESSURE' });
  });

  it('holds for a group that was lost until that is made again', async () => {
    const [process, member] = [await bed.start(), await bed.start()];
    await idleGroup(process, topic, 'g');
    await publishAll(process, topic, 10);
    await bed.command('XGROUP', 'DESTROY', keys().log, 'g');
    await expect(process.publisher.publish(topic, { value: 10 })).rejects.toMatchObject({ code: 'BACK_PRESSURE' });
    const seen = await handling(member, topic, 'g');
    await bed.drained(process, topic, 'g');
    expect(seen).toEqual(values(10));
    expect(await process.publisher.publish(topic, { value: 10 })).toMatchObject({ offset: 10 });
  });

  it('stores as many messages of a batch that is too large as fit', async () => {
    const process = await bed.start();
    await idleGroup(process, topic, 'sleeper');
    await process.publisher.publish(topic, { value: 100 });
    const results = await Promise.allSettled(numbers(25).map(({ payload }) => process.publisher.publish(topic, payload)));
    const offsets = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value.offset] : []));
    expect(offsets).toEqual(values(9, 1));
    const codes = results.flatMap((result) => (result.status === 'rejected' ? [(result.reason as { code: string }).code] : []));
    expect(codes).toEqual(Array.from({ length: 16 }, () => 'BACK_PRESSURE'));
  });

  it('keeps a delayed message waiting until there is room', async () => {
    const [process, member] = [await bed.start(), await bed.start()];
    await process.publisher.publish(topic, { value: 99 }, { delay: '1h' });
    await idleGroup(process, topic, 'g');
    await publishAll(process, topic, 10);
    const [message] = (await bed.command('ZRANGE', keys().delayed, 0, -1)) as [string];
    await bed.command('ZADD', keys().delayed, 1, message);
    const seen = await handling(member, topic, 'g');
    await waitFor(() => seen.includes(99), { what: 'the delayed message to be handled' });
    expect(seen).toEqual([...values(10), 99]);
    expect(await length()).toBeLessThanOrEqual(10);
  });
});

describe('maxAge', () => {
  const topic = retained({ maxAge: '1d' });

  async function publishLongAgo(process: Process, count: number): Promise<void> {
    await process.streams.declare(topicOf(topic));
    const textOf = (value: number): string => `[1,"i${value}",null,null,null,{"value":${value}}]`;
    for (const value of values(count)) await bed.command('XADD', keys().log, ...storedEntry(value, [textOf(value)], 1_000));
    await bed.command('HSET', keys().meta, 'next', count);
  }

  it('removes old settled messages, and keeps others', async () => {
    const process = await bed.start();
    await publishLongAgo(process, 5);
    await handling(process, topic, 'g');
    await process.publisher.publish(topic, { value: 5 });
    await waitFor(async () => (await length()) === 1, { what: 'the old ones to be removed' });
    expect(await bed.command('HGET', keys().meta, 'first')).toBe('5');
    expect((await bed.state(process, topic, 'g')).lag).toBe(0);
  });

  it('leaves the offsets where they were, though nothing is left and the meta is lost: none counts as settled already', async () => {
    const process = await bed.start();
    await publishLongAgo(process, 5);
    const seen = await handling(process, topic, 'g');
    await waitFor(async () => (await length()) === 0, { what: 'all to be removed' });
    await bed.command('DEL', keys().meta);
    for (const value of values(5, 5)) {
      expect(await process.publisher.publish(topic, { value })).toMatchObject({ offset: value });
      await bed.drained(process, topic, 'g');
    }
    expect(seen).toEqual(values(10));
  });

  it('drops unsettled messages when overflow allows it, and counts them', async () => {
    const dropping = retained({ maxAge: '1d', overflow: 'drop-oldest' });
    const process = await bed.start();
    await idleGroup(process, dropping, 'g');
    await publishLongAgo(process, 5);
    await process.publisher.publish(dropping, { value: 5 });
    await waitFor(async () => (await length()) === 1, { what: 'the old ones to be dropped' });
    expect(await bed.state(process, dropping, 'g')).toMatchObject({ lag: 1, dropped: 5, lost: 0 });
  });

  it('never removes messages that a group has not settled', async () => {
    const [process, member] = [await bed.start(), await bed.start()];
    await idleGroup(process, topic, 'g');
    await publishLongAgo(process, 5);
    const before = Number(await bed.command('HGET', keys().meta, 'trimmed'));
    await waitFor(async () => Number(await bed.command('HGET', keys().meta, 'trimmed')) > before, { what: 'a trim' });
    expect(await length()).toBe(5);
    expect(await handling(member, topic, 'g').then(async (seen) => bed.drained(process, topic, 'g').then(() => seen))).toEqual(values(5));
  });
});

describe('maxBytes', () => {
  const topic = retained({ maxBytes: 100_000 });

  it('refuses publishes when the log is too large, until there is room again', async () => {
    const [process, member] = [await bed.start(), await bed.start()];
    await idleGroup(process, topic, 'g');
    const more = 'x'.repeat(5_000);
    const publish = (): Promise<unknown> => process.publisher.publish(topic, { value: 1, more });
    let refused: unknown = null;
    await waitFor(async () => {
      await publish().catch((error: unknown) => (refused = error));
      return refused !== null;
    }, { what: 'a publish to be refused' });
    expect(refused).toMatchObject({ code: 'BACK_PRESSURE' });
    await handling(member, topic, 'g');
    await bed.drained(process, topic, 'g');
    await waitFor(async () => publish().then(() => true, () => false), { what: 'room to be made' });
    expect(Number(await bed.command('MEMORY', 'USAGE', keys().log))).toBeLessThan(110_000);
    expect(lost).toEqual([]);
  });
});

describe('drop-oldest', () => {
  const topic = retained({ maxMessages: 10, overflow: 'drop-oldest' });

  it('lets groups lose their oldest messages, reports how many, and keeps the lag exact', async () => {
    const [process, member] = [await bed.start(), await bed.start()];
    await idleGroup(process, topic, 'sleeper');
    await publishAll(process, topic, 25);
    expect(await length()).toBe(10);
    expect(lost.reduce((sum, { count }) => sum + count, 0)).toBe(15);
    expect(lost[0]).toMatchObject({ topic: 'test.retained', partition: 0, group: 'sleeper' });
    expect(await bed.command('HGET', bed.place(topic, 'sleeper').groupKeys.stats, 'dropped')).toBe('15');
    expect((await bed.state(process, topic, 'sleeper')).lag).toBe(10);
    const seen = await handling(member, topic, 'sleeper');
    await bed.drained(process, topic, 'sleeper');
    expect(seen).toEqual(values(10, 15));
  });

  it('refuses the outcome of a message that a member held, and counts the message once', async () => {
    const [process, member] = [await bed.start(), await bed.start()];
    const [begun, go] = [signal(), signal()];
    await subscribe(member, { topic, group: 'g', concurrency: 1 }, async ({ value }: Value) => {
      if (value > 0) return;
      begun.fire();
      await go.promise;
    });
    await process.publisher.publish(topic, { value: 0 });
    await begun.promise;
    for (const value of values(10, 1)) await process.publisher.publish(topic, { value });
    expect(await bed.pending(topic, 'g')).toEqual([]);
    go.fire();
    await bed.drained(process, topic, 'g');
    expect(await bed.state(process, topic, 'g')).toMatchObject({ handled: 10, fenced: 1 });
  });

  it('counts the messages of a vanished member when the group was set to behind them', async () => {
    const [process, vanishing] = [await bed.start(), await bed.start()];
    await subscribe(vanishing, { topic, group: 'g', concurrency: 1 }, () => new Promise(() => undefined));
    await publishAll(process, topic, 3);
    await waitFor(async () => (await bed.state(process, topic, 'g')).pending === 1, { what: 'one to be in hand' });
    vanishing.vanish();
    await process.streams.groups.seek(topic, 'g', { to: 'latest' });
    await publishAll(process, topic, 10);
    expect(await bed.state(process, topic, 'g')).toMatchObject({ lag: 10, dropped: 1, lost: 0 });
  });

  it('counts only the unsettled messages of a packed entry', async () => {
    const [process, member] = [await bed.start({ messagesPerEntry: 4 }), await bed.start()];
    const go = signal();
    await subscribe(member, { topic, group: 'g' }, async ({ value }: Value) => {
      if (value > 0 && value < 4) await go.promise;
    });
    await process.publisher.publishMany(topic, numbers(4));
    await waitFor(async () => (await bed.state(process, topic, 'g')).handled === 1, { what: 'one of four to be settled' });
    for (const value of values(10, 4)) await process.publisher.publish(topic, { value });
    expect(lost.map(({ count }) => count)).toEqual([3]);
    go.fire();
    await bed.drained(process, topic, 'g');
    expect(await bed.state(process, topic, 'g')).toMatchObject({ handled: 11, fenced: 3 });
  });

  it('R7 keeps messages that wait for another attempt, which do not need the log any more', async () => {
    const [process, member] = [await bed.start(), await bed.start()];
    const retry = { attempts: 2, backoff: fixed('1h'), deadLetterOn: [] };
    const seen: [number, number][] = [];
    await subscribe(member, { topic, group: 'g', retry }, async ({ value }: Value, { attempt }: { attempt: number }) => {
      seen.push([value, attempt]);
      if (value === -1 && attempt === 1) throw new Error('as planned');
    });
    await process.publisher.publish(topic, { value: -1 });
    await waitFor(async () => (await bed.state(process, topic, 'g')).retrying === 1, { what: 'the retry to wait' });
    await publishAll(process, topic, 30);
    const { due } = bed.place(topic, 'g').groupKeys;
    const [name] = (await bed.command('ZRANGE', due, 0, -1)) as [string];
    await bed.command('ZADD', due, 1, name);
    await waitFor(() => seen.some(([value, attempt]) => value === -1 && attempt === 2), { what: 'the second attempt' });
    await bed.drained(process, topic, 'g');
  });
});

describe('drop-group', () => {
  const topic = retained({ maxMessages: 10, overflow: 'drop-group', dropGroupAfter: '1h' });

  it('lets a group without members lose its oldest messages, and no other group', async () => {
    const [process, member] = [await bed.start(), await bed.start()];
    await idleGroup(process, topic, 'dead');
    await bed.command('HSET', bed.place(topic, 'dead').groupKeys.stats, 'seen', 1_000);
    const seen = await handling(member, topic, 'alive');
    for (const value of values(25)) await publishStubbornly(process, topic, value);
    await bed.drained(process, topic, 'alive');
    expect(seen).toEqual(values(25));
    expect(new Set(lost.map(({ group }) => group))).toEqual(new Set(['dead']));
    const { lag } = await bed.state(process, topic, 'dead');
    expect(lag).toBe(25 - lost.reduce((sum, { count }) => sum + count, 0));
    expect(lag).toBeLessThanOrEqual(10);
  });

  it('holds for a group that had a member not long ago', async () => {
    const process = await bed.start();
    await idleGroup(process, topic, 'recent');
    await publishAll(process, topic, 10);
    await expect(process.publisher.publish(topic, { value: 10 })).rejects.toMatchObject({ code: 'BACK_PRESSURE' });
  });
});

describe('a trim', () => {
  const topic = retained({ maxMessages: 10 });

  it('that fails is tried again with its publish', async () => {
    const process = await bed.start();
    await publishAll(process, topic, 10);
    const { retention } = topicOf(topic);
    let tries = 0;
    const makeRoom = async (): Promise<Capacity> => {
      tries += 1;
      if (tries === 1) throw new RedisFailure('indeterminate', 'no answer', undefined);
      await bed.command('HSET', keys().meta, 'first', 1);
      return { messages: 1, blockingGroup: null };
    };
    const batcher = new PartitionBatcher({
      redis: process.redis.publish, confirmation: null, topic: 'test.retained', partition: 0, keys: keys(),
      idempotencyWindowMs: 60_000, deadlineMs: 5_000, budget: new PublishBudget(1_000), packing: () => 1,
      retained: { retention, makeRoom } as unknown as RetainedPartition, declare: async () => undefined,
      partitions: () => 1, learn: async () => undefined,
    });
    const message = { id: 'i', key: null, idempotencyKey: null, headers: {}, expiresAt: null, type: null, schema: 1, payloadJson: '{"value":10}' };
    expect(await batcher.publish(message)).toMatchObject({ offset: 10 });
    expect(tries).toBe(2);
  });

  it('removes the pages of the settled bitmap below the first message, and only those', async () => {
    const [process, member] = [await bed.start(), await bed.start()];
    await process.streams.declare(topicOf(topic));
    await bed.command('HSET', keys().meta, 'next', SETTLED_PAGE_OFFSETS - 5);
    await handling(member, topic, 'g');
    const page = (number: number): string => settledKey(bed.prefix, { topic: 'test.retained', partition: 0, group: 'g' }, number * SETTLED_PAGE_OFFSETS);
    for (const value of values(8)) await publishStubbornly(process, topic, value);
    await bed.drained(process, topic, 'g');
    expect(await bed.command('EXISTS', page(0), page(1))).toBe(2);
    for (const value of values(20)) await publishStubbornly(process, topic, value);
    await bed.drained(process, topic, 'g');
    expect(await bed.command('EXISTS', page(0))).toBe(0);
    expect(await bed.command('EXISTS', page(1))).toBe(1);
  });

  it('does nothing when there is a group that the call does not name', async () => {
    const process = await bed.start();
    await publishAll(process, topic, 10);
    await idleGroup(process, topic, 'new');
    const args = [SETTLED_PAGE_OFFSETS, 0, 0, 5, 0, 10, 0, 'reject', 0, -1];
    expect(await process.redis.control.run(trim, [keys().log, keys().meta, keys().groups], args)).toBe('AGAIN');
    expect(await length()).toBe(10);
  });
});
