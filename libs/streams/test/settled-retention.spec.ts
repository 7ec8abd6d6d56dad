import { describe, expect, it } from '@jest/globals';
import { deliveryPipeline, type DeliveryContext, type EventMap, fixed, listen, type PayloadClass, type RetentionOptions, Topic, topicOf } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { IsInt } from 'class-validator';
import { LogTrim, type Trimmed } from '../src/retain/log-trim.js';
import { isRetained } from '../src/retain/retained-topic.js';
import { SETTLED_PAGE_OFFSETS, settledKey } from '../src/keys.js';
import { Bed } from './bed.js';
import { type Process, signal, subscribe } from './fixture.js';
import { storedEntry } from './stored-entry.js';
import { numbers } from './topics.js';

type Value = { value: number };

function passing(retention: RetentionOptions | 'settled', partitions = 1): PayloadClass<Value> {
  @Topic<Passing>('test.passing', { retention, partitions })
  class Passing {
    @IsInt() value!: number;
  }
  return Passing;
}

const bed = new Bed('settled');
const topic = passing('settled');
const keysOf = (partition = 0): ReturnType<typeof bed.place>['keys'] => bed.place(topic, 'g', partition).keys;
const length = async (partition = 0): Promise<number> => Number(await bed.command('XLEN', keysOf(partition).log));
const values = (count: number, from = 0): number[] => Array.from({ length: count }, (_, index) => index + from);

function gone(left = 0): Promise<unknown> {
  return waitFor(async () => {
    const now = await length();
    if (now !== left) throw new Error(`${now} are there`);
    return true;
  }, { what: `all but ${left} to be gone` });
}

/** Handles messages, and remembers their values. */
async function handling(process: Process, group = 'g', from: 'earliest' | 'latest' = 'earliest'): Promise<number[]> {
  const seen: number[] = [];
  await subscribe(process, { topic, group, start: from }, async ({ value }: Value) => void seen.push(value));
  return seen;
}

/** A group that is there and handles no message. */
async function idleGroup(process: Process, group: string, of = topic): Promise<void> {
  await (await subscribe(process, { topic: of, group }, async () => undefined)).stop(1_000);
}

async function publishAll(process: Process, count: number, from = 0): Promise<void> {
  for (const value of values(count, from)) await process.publisher.publish(topic, { value });
}

/** Messages of a day long ago. */
async function publishLongAgo(process: Process, count: number): Promise<void> {
  await process.streams.declare(topicOf(topic));
  const textOf = (value: number): string => `[1,"i${value}",null,null,null,{"value":${value}}]`;
  for (const value of values(count)) await bed.command('XADD', keysOf().log, ...storedEntry(value, [textOf(value)], 1_000));
  await bed.command('HSET', keysOf().meta, 'next', count);
}

/** A trim at this moment. */
async function trimNow(process: Process, of = topic): Promise<Trimmed> {
  const definition = topicOf(of);
  if (!isRetained(definition)) throw new Error('it keeps everything');
  return (await new LogTrim(process.redis, bed.prefix, definition).trim({ partition: 0, wanted: 0, everyMs: 0 })) as Trimmed;
}

describe('a message', () => {
  it('is gone soon after the last group has handled it, also when nothing is published any more', async () => {
    const process = await bed.start();
    const [one, two] = [await handling(process, 'g'), await handling(process, 'h')];
    await publishAll(process, 5);
    await gone();
    await publishAll(process, 5, 5);
    await gone();
    expect([one, two]).toEqual([values(10), values(10)]);
    expect(await bed.command('HMGET', keysOf().meta, 'first', 'next')).toEqual(['10', '10']);
    expect(await bed.state(process, topic, 'g')).toMatchObject({ handled: 10, lag: 0, lost: 0, dropped: 0 });
    expect(await process.publisher.publish(topic, { value: 10 })).toMatchObject({ offset: 10 });
  });

  it('stays for a second after its publish, though all groups are done with it', async () => {
    const process = await bed.start();
    await handling(process);
    await waitFor(async () => {
      await publishAll(process, 1);
      await bed.drained(process, topic, 'g');
      return (await trimNow(process)).isUnfinished;
    }, { what: 'a trim within a second' });
    expect(await length()).toBeGreaterThan(0);
    await gone();
  });

  it('stays while the topic has no group, and the first one gets it', async () => {
    const process = await bed.start();
    await publishLongAgo(process, 5);
    expect(await trimNow(process)).toMatchObject({ isUnfinished: false });
    expect(await length()).toBe(5);
    const seen = await handling(process);
    await gone();
    expect(seen).toEqual(values(5));
  });

  it('stays for the slower of two groups, and no message behind it is lost', async () => {
    const process = await bed.start();
    const fast = await handling(process, 'fast');
    const [slow, go] = [[] as number[], signal()];
    await subscribe(process, { topic, group: 'slow', concurrency: 1 }, async ({ value }: Value) => {
      if (value === 3) await go.promise;
      slow.push(value);
    });
    await publishAll(process, 10);
    await gone(7);
    expect(await bed.state(process, topic, 'slow')).toMatchObject({ lag: 7 });
    go.fire();
    await gone();
    // Groups without an order may handle neighbours side by side.
    const inOrder = (seen: readonly number[]): number[] => [...seen].sort((one, other) => one - other);
    expect([inOrder(fast), inOrder(slow)]).toEqual([values(10), values(10)]);
  });

  it('that waits for another attempt is handled later, though its entry is gone', async () => {
    const process = await bed.start();
    const attempts: string[] = [];
    const retry = { attempts: 2, backoff: fixed('1h'), deadLetterOn: [] };
    await subscribe(process, { topic, group: 'g', retry }, async ({ value }: Value, { attempt }: DeliveryContext) => {
      attempts.push(`${value}/${attempt}`);
      if (attempt === 1) throw new Error('as planned');
    });
    await publishAll(process, 3);
    await gone();
    expect(await bed.state(process, topic, 'g')).toMatchObject({ lag: 3, retrying: 3 });
    const { due, body } = bed.place(topic, 'g').groupKeys;
    for (const name of (await bed.command('ZRANGE', due, 0, -1)) as string[]) await bed.command('ZADD', due, 1, name);
    await bed.drained(process, topic, 'g');
    expect([...attempts].sort()).toEqual(['0/1', '0/2', '1/1', '1/2', '2/1', '2/2']);
    expect(await bed.state(process, topic, 'g')).toMatchObject({ handled: 3, lost: 0, deadLettered: 0 });
    expect(await bed.command('EXISTS', body)).toBe(0);
  });

  it('that waits among others that are done is copied, and no other is', async () => {
    const process = await bed.start({ messagesPerEntry: 3 });
    const handled: number[] = [];
    const retry = { attempts: 2, backoff: fixed('1h'), deadLetterOn: [] };
    await subscribe(process, { topic, group: 'g', retry }, async ({ value }: Value, { attempt }: DeliveryContext) => {
      if (attempt === 1 && value % 17 === 5) throw new Error('as planned');
      handled.push(value);
    });
    await process.publisher.publishMany(topic, numbers(200));
    await gone();
    const { due, body } = bed.place(topic, 'g').groupKeys;
    const copied = ((await bed.command('HKEYS', body)) as string[]).map(Number).sort((a, b) => a - b);
    expect(copied).toEqual(values(200).filter((value) => value % 17 === 5));
    for (const name of (await bed.command('ZRANGE', due, 0, -1)) as string[]) await bed.command('ZADD', due, 1, name);
    await bed.drained(process, topic, 'g');
    expect(handled.sort((a, b) => a - b)).toEqual(values(200));
  });

  it.each(['group', 'topic'] as const)('that was dead-lettered is redriven to the %s after its entry is gone', async (to) => {
    const process = await bed.start();
    const handled: number[] = [];
    let isBroken = true;
    await subscribe(process, { topic, group: 'g' }, async ({ value }: Value) => {
      if (isBroken) throw new Error('as planned');
      handled.push(value);
    });
    await publishAll(process, 3);
    await gone();
    isBroken = false;
    expect(await process.streams.deadLetters.redrive(topic, 'g', { all: true, to })).toMatchObject({ redriven: 3 });
    await waitFor(() => handled.length === 3, { what: 'the dead letters to be handled' });
    await gone();
    expect([...handled].sort()).toEqual(values(3));
    expect(await bed.state(process, topic, 'g')).toMatchObject({ lag: 0, deadLetters: 0, lost: 0 });
  });

  it('in a packed entry keeps that entry until all of it is done', async () => {
    const process = await bed.start({ messagesPerEntry: 4 });
    const go = signal();
    await subscribe(process, { topic, group: 'g' }, async ({ value }: Value) => {
      if (value === 5) await go.promise;
    });
    await process.publisher.publishMany(topic, numbers(12));
    await gone(2);
    expect(await bed.command('HGET', keysOf().meta, 'first')).toBe('4');
    go.fire();
    await gone();
    expect(await bed.state(process, topic, 'g')).toMatchObject({ handled: 12, lost: 0 });
  });

  it('that is delayed waits until it is due, and is gone when it is handled', async () => {
    const process = await bed.start();
    const seen = await handling(process);
    await process.publisher.publish(topic, { value: 7 }, { delay: '1h' });
    await publishAll(process, 1);
    await gone();
    const [message] = (await bed.command('ZRANGE', keysOf().delayed, 0, -1)) as [string];
    await bed.command('ZADD', keysOf().delayed, 1, message);
    await waitFor(() => seen.length === 2, { what: 'the delayed message to be handled' });
    await gone();
    expect(seen).toEqual([0, 7]);
  });

  it('is a duplicate by its idempotency key, though it is gone', async () => {
    const process = await bed.start();
    const seen = await handling(process);
    await process.publisher.publish(topic, { value: 0 }, { idempotencyKey: 'k' });
    await gone();
    expect(await process.publisher.publish(topic, { value: 0 }, { idempotencyKey: 'k' })).toMatchObject({ offset: 0, duplicate: true });
    await bed.drained(process, topic, 'g');
    expect(seen).toEqual([0]);
  });

  it('is gone although the clock of Redis was set back since the last trim', async () => {
    const process = await bed.start();
    await handling(process);
    await publishAll(process, 1);
    await gone();
    await bed.command('HSET', keysOf().meta, 'trimmed', 99_000_000_000_000);
    await publishAll(process, 1);
    await gone();
  });
});

describe('a stream of messages', () => {
  it('leaves nothing in the logs, and each message is handled once by each group', async () => {
    const [count, wide] = [20_000, passing('settled', 3)];
    const [publisher, member, other] = [await bed.start(), await bed.start(), await bed.start()];
    const seen = { g: [] as number[], h: [] as number[] };
    for (const process of [member, other]) {
      await subscribe(process, { topic: wide, group: 'g', concurrency: 256 }, async ({ value }: Value) => void seen.g.push(value));
    }
    await subscribe(other, { topic: wide, group: 'h', concurrency: 256 }, async ({ value }: Value) => void seen.h.push(value));
    for (let from = 0; from < count; from += 1_000) {
      await publisher.publisher.publishMany(wide, values(1_000, from).map((value) => ({ payload: { value } })));
    }
    for (const group of ['g', 'h'] as const) {
      await bed.drained(publisher, wide, group);
      expect(seen[group].sort((a, b) => a - b)).toEqual(values(count));
      expect(await bed.state(publisher, wide, group)).toMatchObject({ handled: count, lost: 0, dropped: 0, fenced: 0 });
    }
    await waitFor(async () => (await Promise.all([0, 1, 2].map(length))).join() === '0,0,0', { what: 'the logs to be empty' });
  }, 120_000);
});

describe('a trim', () => {
  it('removes many thousands at once, and none that is not done', async () => {
    const [kept, process] = [passing({ maxAge: '1d' }), await bed.start()];
    const go = signal();
    await subscribe(process, { topic: kept, group: 'g', concurrency: 256 }, async ({ value }: Value) => {
      if (value === 23_456) await go.promise;
    });
    for (let from = 0; from < 24_000; from += 1_000) {
      await process.publisher.publishMany(kept, values(1_000, from).map((value) => ({ payload: { value } })));
    }
    await waitFor(async () => (await bed.state(process, topic, 'g')).lag === 1, { what: 'all others to be handled', timeoutMs: 40_000 });
    const first = async (): Promise<number> => Number(await bed.command('HGET', keysOf().meta, 'first'));
    await waitFor(async () => {
      await trimNow(process);
      expect(await first()).toBeGreaterThan(23_456 - 16);
      return true;
    }, { what: 'what is done to be removed' });
    expect(await first()).toBeLessThanOrEqual(23_456);
    go.fire();
    await bed.drained(process, topic, 'g');
    await waitFor(async () => !(await trimNow(process)).isUnfinished && (await length()) === 0, { what: 'the rest to be removed' });
    expect(await bed.state(process, topic, 'g')).toMatchObject({ handled: 24_000, lost: 0, dropped: 0 });
  }, 120_000);

  it('removes the pages of the settled bitmap that it leaves behind', async () => {
    const process = await bed.start();
    await process.streams.declare(topicOf(topic));
    await bed.command('HSET', keysOf().meta, 'next', SETTLED_PAGE_OFFSETS - 5);
    const seen = await handling(process);
    await publishAll(process, 10);
    await gone();
    const page = (number: number): string => settledKey(bed.prefix, bed.place(topic, 'g'), number * SETTLED_PAGE_OFFSETS);
    await waitFor(async () => (await bed.command('EXISTS', page(0))) === 0, { what: 'the first page to be gone' });
    await publishAll(process, 10, 10);
    await gone();
    expect(seen).toEqual(values(20));
    expect(await bed.command('EXISTS', page(1))).toBe(1);
    expect(await bed.state(process, topic, 'g')).toMatchObject({ lag: 0, lost: 0 });
  });
});

describe('a group', () => {
  it('that comes later begins at the first message that is still there', async () => {
    const process = await bed.start();
    const go = signal();
    await subscribe(process, { topic, group: 'slow', concurrency: 1 }, async ({ value }: Value) => {
      if (value === 3) await go.promise;
    });
    await publishAll(process, 5);
    await gone(2);
    const late = await handling(process, 'late');
    await bed.drained(process, topic, 'late');
    expect(late).toEqual([3, 4]);
    expect(await bed.state(process, topic, 'late')).toMatchObject({ handled: 2, lag: 0, lost: 0 });
    go.fire();
    await gone();
    const [last, latest] = [await handling(process, 'last'), await handling(process, 'latest', 'latest')];
    await publishAll(process, 1, 5);
    await gone();
    expect([last, latest]).toEqual([[5], [5]]);
    expect(await bed.state(process, topic, 'last')).toMatchObject({ handled: 1, lag: 0, lost: 0 });
  });

  it('that is set to before the first message is given what is there', async () => {
    const process = await bed.start();
    await idleGroup(process, 'sleeper');
    const seen = await handling(process);
    await publishAll(process, 3);
    await bed.drained(process, topic, 'g');
    await handling(process, 'sleeper');
    await gone();
    expect(await process.streams.groups.seek(topic, 'g', { to: { offset: 1 } })).toEqual([
      { partition: 0, from: 3, to: 3, again: 0, skipped: 0, retriesDropped: 0 },
    ]);
    await publishAll(process, 1, 3);
    await bed.drained(process, topic, 'g');
    expect(seen).toEqual(values(4));
    expect(await bed.state(process, topic, 'g')).toMatchObject({ lag: 0, lost: 0 });
  });

  it('without members keeps its messages until it is removed', async () => {
    const process = await bed.start();
    await idleGroup(process, 'left-behind');
    await publishLongAgo(process, 3);
    await handling(process);
    await bed.drained(process, topic, 'g');
    expect(await trimNow(process)).toMatchObject({ isUnfinished: false });
    expect(await length()).toBe(3);
    await process.streams.groups.remove(topic, 'left-behind', { force: true });
    await publishAll(process, 1, 3);
    await gone();
  });

  it('without members fills a topic that has a limit, too, unless the overflow drops its messages', async () => {
    const process = await bed.start();
    const limited = passing({ settled: true, maxMessages: 5 });
    await idleGroup(process, 'left-behind', limited);
    for (const value of values(5)) await process.publisher.publish(limited, { value });
    await expect(process.publisher.publish(limited, { value: 5 })).rejects.toMatchObject({ code: 'BACK_PRESSURE' });
    const dropping = passing({ settled: true, maxMessages: 5, overflow: 'drop-group', dropGroupAfter: '1h' });
    await bed.command('HSET', bed.place(topic, 'left-behind').groupKeys.stats, 'seen', 1_000);
    await trimNow(process, dropping);
    expect(await length()).toBe(5);
    const other = await bed.start();
    await other.publisher.publish(dropping, { value: 5 });
    expect(await bed.state(process, topic, 'left-behind')).toMatchObject({ lag: 5, dropped: 1 });
  });

  it('that is ordered keeps a message while it is tried in its place, and the key goes on', async () => {
    const process = await bed.start();
    const attempts: string[] = [];
    let isBroken = true;
    const retry = { attempts: 1_000, backoff: fixed('20ms'), deadLetterOn: [] };
    const target = { topic, group: 'g', retry, ordering: { by: 'partition' } as const };
    await subscribe(process, target, async ({ value }: Value) => {
      if (value === 2 && isBroken) throw new Error('as planned');
      attempts.push(String(value));
    });
    await publishAll(process, 6);
    await gone(4);
    isBroken = false;
    await gone();
    expect(attempts).toEqual(values(6).map(String));
    expect(await bed.state(process, topic, 'g')).toMatchObject({ handled: 6, lag: 0, lost: 0 });
  });
});

describe('a broadcast', () => {
  it('gets each message that a group has settled meanwhile; one that is behind is told how many it missed', async () => {
    const lost: EventMap['lost'][] = [];
    const stopListening = listen('lost', (event) => lost.push(event));
    const [process, follower] = [await bed.start(), await bed.start()];
    await handling(process);
    const seen: number[] = [];
    const retry = { attempts: 1, backoff: fixed('1ms'), deadLetterOn: [] };
    const handle = (async ({ value }: Value) => void seen.push(value)) as never;
    const handler = deliveryPipeline({ topic: topicOf(topic), group: '~broadcast', retry, handle });
    const broadcast = await follower.streams.broadcast({ topic: topicOf(topic), concurrency: 1 }, handler);
    await publishAll(process, 50);
    await waitFor(() => seen.length === 50, { what: 'the broadcast to have all' });
    await gone();
    expect([seen, lost]).toEqual([values(50), []]);
    await broadcast.pause?.();
    await publishAll(process, 10, 50);
    await gone();
    broadcast.resume?.();
    await publishAll(process, 1, 60);
    await waitFor(() => seen.includes(60), { what: 'the broadcast to go on' });
    stopListening();
    expect(lost.length).toBeGreaterThan(0);
    expect(lost.reduce((sum, { count }) => sum + count, 0) + seen.length).toBe(61);
    expect(lost[0]).toMatchObject({ topic: 'test.passing', group: '~broadcast' });
  });
});
