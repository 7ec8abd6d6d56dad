import { describe, expect, it } from '@jest/globals';
import { type EventMap, listen, type OutgoingMessage, type PublishResult, topicOf } from '@millrace/core';
import { loadScript, type RedisConnection } from '@millrace/redis';
import { waitFor } from '@millrace/testing';
import { partitionKeys, SETTLED_PAGE_OFFSETS } from '../src/keys.js';
import { MOST_IN_FLIGHT } from '../src/publish/producer.js';
import { Bed } from './bed.js';
import type { Process } from './fixture.js';
import { numbers, Single } from './topics.js';

const publish = loadScript('../src/scripts/publish.lua', import.meta.url);
const close = loadScript('../src/scripts/close.lua', import.meta.url);
const bed = new Bed('in-flight');
const keysOf = (): ReturnType<typeof partitionKeys> => partitionKeys(bed.prefix, 'test.single', 0);

/** Sends a batch of one message, past the publisher. */
function send(redis: RedisConnection, producer: string, number: number): Promise<unknown> {
  const { log, meta, producers: key } = keysOf();
  return redis.run(publish, [log, meta, key], [producer, number, 0, 1, 1, SETTLED_PAGE_OFFSETS, 0, '0', 1, '[[]]']);
}

describe('the number of a batch', () => {
  const sendTo = ({ redis }: Process): Record<'send' | 'closeAll', (first: number, last?: number) => Promise<unknown>> => ({
    send: (number) => send(redis.publish, 'p', number),
    closeAll: (first, last = first) => redis.publish.run(close, [keysOf().producers], ['p', first, last, 0]),
  });

  it('is stored once, and only behind the number before it: a gap stores nothing', async () => {
    const process = await bed.start();
    await process.streams.declare(topicOf(Single));
    const { send, closeAll } = sendTo(process);
    const replies: unknown[] = [];
    for (const number of [2, 1, 3, 2, 2, 1]) replies.push(await send(number));
    expect(replies).toEqual(['GAP 0', '+0', 'GAP 1', '+1', 'STALE', 'STALE']);
    expect(await closeAll(1, 2)).toEqual(['+0', '+1']);
    expect(await bed.command('XLEN', keysOf().log)).toBe(2);
  });

  it('that is closed is never stored, however late its batch arrives', async () => {
    const process = await bed.start();
    await process.streams.declare(topicOf(Single));
    const { send, closeAll } = sendTo(process);
    expect([await send(1), await closeAll(1, 3), await send(2), await send(4)]).toEqual(['+0', ['+0', '-', '-'], 'STALE', '+1']);
    expect([await closeAll(6, 6), await closeAll(5, 8), await closeAll(1, 1)]).toEqual(['GAP 4', ['-', '-', '-', '-'], 'STALE']);
  });
});

describe('batches of one process for one partition', () => {
  const COUNT = 256 * 8;
  const inOrder = numbers(COUNT).map(({ payload }) => payload.value);
  const message = (value: number): OutgoingMessage => ({
    id: `id${value}`, key: null, idempotencyKey: null, headers: {}, expiresAt: null, type: null, schema: 1, payloadJson: JSON.stringify({ value }),
  });
  /** Publishes as fast as possible: several batches are in flight at once. */
  const flood = ({ streams }: Process): Promise<readonly (PublishResult | Error)[]> =>
    streams.publishMany(topicOf(Single), inOrder.map((value) => ({ message: message(value) })));
  type Entries = [string, [string, string]][];
  const stored = async (): Promise<number[]> => valuesIn((await bed.command('XRANGE', keysOf().log, '-', '+')) as Entries);
  /** Removes the partition. @returns what was in it at that moment */
  const loss = async (): Promise<number[]> => {
    const script = "local entries = redis.call('XRANGE', KEYS[1], '-', '+') redis.call('DEL', unpack(KEYS)) return entries";
    const { log, ...rest } = keysOf();
    const keys: string[] = [log, ...Object.values<string | readonly string[]>(rest).flat()];
    return valuesIn((await bed.command('EVAL', script, keys.length, ...keys)) as Entries);
  };
  const valuesIn = (entries: Entries): number[] => {
    const envelopes = entries.flatMap(([, [, text]]) => JSON.parse(text) as unknown[][]);
    return envelopes.map((envelope) => (envelope.at(-1) as { value: number }).value);
  };

  it('are several on their way at once', async () => {
    const { process, proxy } = await bed.startBehindProxy();
    await process.streams.declare(topicOf(Single));
    proxy.blackHole(['replies']);
    const published = flood(process);
    const onTheirWay = async (): Promise<boolean> => (await stored()).length === 256 * MOST_IN_FLIGHT;
    await waitFor(onTheirWay, { what: 'so many to be stored before one is answered' });
    await proxy.pass();
    await published;
    expect(await stored()).toEqual(inOrder);
  });

  const faults = ['every reply is lost', 'the connection is cut', 'the scripts are gone', 'the partition is gone'];
  it.each(faults)('keep their order, each stored once, when %s', async (fault) => {
    const { process, proxy } = await bed.startBehindProxy();
    await process.publisher.publish(Single, { value: -1 });
    proxy.delay(5);
    const published = flood(process);
    await waitFor(async () => Number(await bed.command('XLEN', keysOf().log)) > 1, { what: 'the first to be stored' });
    if (fault === 'every reply is lost') await proxy.dropReplies();
    if (fault === 'the connection is cut') proxy.reset();
    if (fault === 'the scripts are gone') await bed.command('SCRIPT', 'FLUSH');
    const before = fault === 'the partition is gone' ? await loss() : [];
    await proxy.pass();
    const results = await published;
    expect(results.filter((result) => result instanceof Error)).toEqual([]);
    expect([...before, ...(await stored())].filter((value) => value >= 0)).toEqual(inOrder);
  });

  it('go on as another producer when Redis lost batches that it had confirmed, and emit that', async () => {
    const events: EventMap['publishes-lost'][] = [];
    const stop = listen('publishes-lost', (event) => void events.push(event));
    const process = await bed.start();
    for (const value of [0, 1, 2]) await process.publisher.publish(Single, { value });
    const [producer] = await producers();
    // As after a failover to a replica that had not received the last two.
    await bed.command('HSET', keysOf().producers, producer!, '1 9999999');
    expect(await process.publisher.publish(Single, { value: 3 })).toMatchObject({ offset: 3 });
    stop();
    expect(events).toMatchObject([{ topic: 'test.single', partition: 0, batches: 2 }]);
    expect(await producers()).toHaveLength(2);
  });
});

async function producers(): Promise<string[]> {
  return ((await bed.command('HKEYS', keysOf().producers)) as string[]).filter((field) => field.length === 12);
}

describe('the record of a producer, by which a repetition is known,', () => {
  const HOUR_MS = 3_600_000;
  const keptFor = async (): Promise<number> => {
    const [producer] = await producers();
    const [record, age] = (await bed.command('HMGET', keysOf().producers, producer!, 'age')) as [string, string];
    return Number(record.split(' ')[1]) - Number(age);
  };

  it('is kept for as long as the publish may be tried, and an hour more', async () => {
    const { publisher } = await bed.start();
    await publisher.publish(Single, { value: 0 });
    expect(await keptFor()).toBeGreaterThan(HOUR_MS);
    const together = [publisher.publish(Single, { value: 1 }, { deadline: '1d' }), publisher.publish(Single, { value: 2 }, { deadline: '1s' })];
    await Promise.all(together);
    await publisher.publish(Single, { value: 3 }, { deadline: '1s' });
    expect(await keptFor()).toBeGreaterThan(24 * HOUR_MS);
    expect(await keptFor()).toBeLessThanOrEqual(25 * HOUR_MS);
  });

  it('is removed when it is old and other producers come', async () => {
    const process = await bed.start();
    await process.publisher.publish(Single, { value: 0 });
    const old = numbers(50).map((_, index) => `old${String(index).padStart(9, '0')}`);
    const fields = old.flatMap((producer) => [producer, '7 1', `${producer}:3`, '+5']);
    await bed.command('HSET', keysOf().producers, 'age', 2, ...fields);
    for (let others = 0; others < 40; others += 1) await send(process.redis.publish, `new${String(others).padStart(9, '0')}`, 1);
    const left = (await bed.command('HKEYS', keysOf().producers)) as string[];
    expect(left.filter((field) => field.startsWith('old')).length).toBeLessThan(old.length / 5);
    expect(await producers()).toHaveLength(41 + left.filter((field) => /^old\d+$/.test(field)).length);
  });
});
