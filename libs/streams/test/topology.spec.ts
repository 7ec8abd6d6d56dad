import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type DeliveryContext, deliveryPipeline, fixed, Publisher, Topic, topicOf, type PayloadClass } from '@millrace/core';
import { connectRedis, redisConnection, type Topology } from '@millrace/redis';
import { createStreams, type GroupState, type Streams } from '@millrace/streams';
import { startTestRedis, type TestRedis, uniqueName, waitFor } from '@millrace/testing';
import { IsInt } from 'class-validator';
import { groupPartition } from '../src/consume/group-partition.js';
import { OwnerRecords } from '../src/own/owner-records.js';
import { MOST_READERS, ReaderPool } from '../src/read/reader-pool.js';
import { noRetry, subscribe } from './fixture.js';
import { Numbered, numbers, Single } from './topics.js';

@Topic<Dropping>('test.dropping', {
  key: ({ value }) => String(value), partitions: 2,
  retention: { maxMessages: 10, maxBytes: 1_000_000, maxAge: '1d', overflow: 'drop-oldest' },
})
class Dropping {
  @IsInt() value!: number;
}

interface Process {
  readonly redis: Topology;
  readonly streams: Streams;
  readonly publisher: Publisher;
}

let server: TestRedis;
let prefix: string;
const processes: Process[] = [];

beforeAll(async () => {
  server = await startTestRedis({ extra: ['--cluster-enabled', 'yes'] });
  const admin = redisConnection({ url: server.url }, 'admin', 'control');
  admin.connect();
  await admin.whenReady(10_000);
  await admin.call('CLUSTER', 'ADDSLOTSRANGE', 0, 16_383);
  const isUp = async (): Promise<boolean> => String(await admin.call('CLUSTER', 'INFO')).includes('cluster_state:ok');
  await waitFor(isUp, { what: 'the cluster to be up', timeoutMs: 30_000 });
  admin.close();
});
beforeEach(() => void (prefix = uniqueName('topology')));
afterEach(async () => {
  for (const { streams, redis } of processes.splice(0)) {
    await streams.stop(200);
    redis.close();
  }
});
afterAll(() => server.stop());

async function start(): Promise<Process> {
  const redis = await connectRedis({ url: server.url });
  const streams = createStreams({ redis, prefix, leaseMs: 1_500 });
  const process = { redis, streams, publisher: new Publisher(streams) };
  processes.push(process);
  return process;
}

const state = ({ streams }: Process, topic: PayloadClass): Promise<GroupState> => streams.inspector.group(topicOf(topic), 'g');

async function drained(process: Process, topic: PayloadClass): Promise<void> {
  await waitFor(async () => (await state(process, topic)).lag === 0, { what: 'nothing to be left', timeoutMs: 30_000 });
}

describe('on a topology whose partitions are on several nodes', () => {
  it.each([
    ['one partition', Single],
    ['several partitions', Numbered],
  ])('a topic of %s is published, handled, retried, given up, put back, redriven, moved and removed', async (_, topic) => {
    const [publisher, victim, member] = [await start(), await start(), await start()];
    await subscribe(victim, { topic, group: 'g', concurrency: 2 }, () => new Promise(() => undefined));
    const items = numbers(20).map((item) => ({ ...item, idempotencyKey: String(item.payload.value) }));
    expect((await publisher.publisher.publishMany(topic, items)).filter((outcome) => outcome instanceof Error)).toEqual([]);
    expect(await publisher.publisher.publish(topic, items[3]!.payload, { idempotencyKey: '3' })).toMatchObject({ duplicate: true });
    await waitFor(async () => (await state(publisher, topic)).pending >= 2, { what: 'the victim to hold two' });
    victim.redis.close();
    const retry = { attempts: 2, backoff: fixed('1ms'), deadLetterOn: [] };
    const subscription = await subscribe(member, { topic, group: 'g', retry }, async ({ value }: { value: number }, { attempt }: DeliveryContext) => {
      if (value === 0 || (value === 1 && attempt === 1)) throw new Error('as planned');
    });
    await drained(publisher, topic);
    expect(await state(publisher, topic)).toMatchObject({ handled: 19, deadLettered: 1, lost: 0 });
    expect((await state(publisher, topic)).redelivered).toBeGreaterThanOrEqual(2);
    expect(await publisher.streams.deadLetters.list(topic, 'g')).toMatchObject([{ payload: { value: 0 } }]);
    expect(await publisher.streams.deadLetters.redrive(topic, 'g', { all: true })).toMatchObject({ redriven: 1 });
    await drained(publisher, topic);
    const steps = await publisher.streams.groups.seek(topic, 'g', { to: 'earliest' });
    expect(steps.reduce((sum, { again }) => sum + again, 0)).toBe(20);
    await drained(publisher, topic);
    await subscription.stop(5_000);
    expect(await state(publisher, topic)).toMatchObject({ handled: 38, deadLettered: 3, lost: 0, lag: 0 });
    expect(await publisher.streams.groups.remove(topic, 'g')).toMatchObject({ group: 'g', deadLetters: 2 });
    expect(await publisher.streams.topics.remove(topic)).toMatchObject({ messages: 20 });
  });

  it('many messages a second reach a group, which reads the partitions one after the other', async () => {
    const [publisher, member] = [await start(), await start()];
    const handled: number[] = [];
    await subscribe(member, { topic: Numbered, group: 'g' }, async ({ value }: { value: number }) => void handled.push(value));
    await publisher.publisher.publishMany(Numbered, numbers(500));
    await waitFor(() => handled.length === 500, { what: 'all to be handled', timeoutMs: 30_000 });
    await publisher.publisher.publishMany(Numbered, numbers(100));
    await waitFor(() => handled.length === 600, { what: 'more to be handled' });
    expect(await state(publisher, Numbered)).toMatchObject({ handled: 600, lag: 0 });
  });

  it('a broadcast follows every partition', async () => {
    const [publisher, follower] = [await start(), await start()];
    const seen: number[] = [];
    const topic = topicOf(Numbered);
    const handle = async ({ value }: { value: number }): Promise<void> => void seen.push(value);
    const handler = deliveryPipeline({ topic, group: 'broadcast', retry: noRetry, timeoutMs: null, handle: handle as never });
    const broadcast = await follower.streams.broadcast({ topic, concurrency: 4 }, handler);
    await publisher.publisher.publishMany(Numbered, numbers(30));
    await waitFor(() => seen.length === 30, { what: 'all to be seen' });
    expect([broadcast.problem(), seen.sort((a, b) => a - b)]).toEqual([null, numbers(30).map(({ payload }) => payload.value)]);
  });

  it('dead letters of every partition are reported', async () => {
    const [publisher, member] = [await start(), await start()];
    const topic = topicOf(Numbered);
    const reported: number[] = [];
    const handler = deliveryPipeline({ topic, group: 'g', retry: noRetry, timeoutMs: null, handle: () => Promise.reject(new Error('no')) });
    await member.streams.subscribe({
      topic, group: 'g', concurrency: 8, crashLimit: 10,
      deadLetterHandler: async ({ offset }) => {
        reported.push(offset);
        return { kind: 'ack' };
      },
    }, handler);
    await publisher.publisher.publishMany(Numbered, numbers(12));
    await waitFor(() => reported.length === 12, { what: 'all to be reported' });
  });

  it('full partitions are trimmed, and delayed messages come when they are due', async () => {
    const [publisher, member] = [await start(), await start()];
    const idle = await subscribe(member, { topic: Dropping, group: 'g' }, async () => undefined);
    await idle.stop(1_000);
    for (let value = 0; value < 40; value += 1) await publisher.publisher.publish(Dropping, { value });
    for (const value of [40, 41, 42, 43]) await publisher.publisher.publish(Dropping, { value }, { delay: '20ms' });
    const seen = new Set<number>();
    await subscribe(member, { topic: Dropping, group: 'other' }, async ({ value }: { value: number }) => void seen.add(value));
    await waitFor(() => [40, 41, 42, 43].every((value) => seen.has(value)), { what: 'the delayed messages to be handled' });
    expect((await state(publisher, Dropping)).lag).toBeLessThanOrEqual(20);
  });
});

describe('the readers of a process', () => {
  it('are lent to topics in turn, when more topics have been busy than there are readers', async () => {
    const redis = await connectRedis({ url: server.url });
    const readers = new ReaderPool(redis);
    for (let topic = 0; topic < MOST_READERS + 2; topic += 1) {
      const key = `${prefix}:{${topic}}:log`;
      const taken = await waitFor(() => readers.take(key, () => undefined), { what: `topic ${topic} to have a reader` });
      readers.giveBack(taken, key);
    }
    readers.close();
    redis.close();
  });
});

describe('the owners of partitions that are on several nodes', () => {
  it('are recorded by one call for each connection', async () => {
    const { name: topic } = topicOf(Numbered);
    const places = [0, 1, 2].map((partition) => groupPartition(prefix, { topic, partition }, 'g'));
    const redis = await connectRedis({ url: server.url });
    const records = new OwnerRecords({ redis, member: 'host-1-0a1b2c3d4e5f.1' });
    const expected = { owner: '', epoch: '' };
    const acquired = await records.acquire(places.map((place) => ({ place, expected, leastEpoch: 1, hasDied: false })));
    const looked = await records.look(places);
    const released = await records.release(places.map((place) => ({ place, epoch: 1, hasCounted: true })));
    redis.close();
    expect([[...acquired.found.values()], acquired.errors]).toEqual([[1, 1, 1], []]);
    expect([[...released.found.values()], released.errors]).toEqual([[true, true, true], []]);
    expect([...looked.found.values()].map(({ epoch }) => epoch)).toEqual(['1', '1', '1']);
  });
});
