import { afterEach, describe, expect, it } from '@jest/globals';
import { deliveryPipeline, type DeliveryContext, fixed, Publisher, topicOf } from '@millrace/core';
import { createStreams, type GroupState } from '@millrace/streams';
import { connectMemory, MemoryServer, waitFor } from '@millrace/testing';
import { noRetry, type Process, subscribe } from '../fixture.js';
import { Numbered, numbers, Single } from '../topics.js';

type Value = { value: number };
type Topic = typeof Numbered | typeof Single;

const running: Process[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((process) => process.stop()));
});

async function start(server: MemoryServer): Promise<Process> {
  const redis = await connectMemory(server);
  const streams = createStreams({ redis, prefix: 'memory', leaseMs: 300 });
  const stop = async (deadlineMs = 200): Promise<void> => {
    await streams.stop(deadlineMs);
    redis.close();
  };
  const process = { redis, streams, publisher: new Publisher(streams), vanish: () => redis.close(), stop };
  running.push(process);
  return process;
}

async function drained({ streams }: Process, topic: Topic): Promise<GroupState> {
  const idle = async (): Promise<GroupState> => {
    const state = await streams.inspector.group(topicOf(topic), 'g');
    expect(state).toMatchObject({ lag: 0, pending: 0, retrying: 0 });
    return state;
  };
  return waitFor(idle, { what: 'the group to have nothing left to do' });
}

const sorted = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);
const all = (count: number): number[] => numbers(count).map(({ payload }) => payload.value);

describe('over a Redis in memory', () => {
  it.each([1, 3])('%i member(s) handle each message once, those that were published before and while they run', async (members) => {
    const server = new MemoryServer();
    const publishing = await start(server);
    const handled: number[] = [];
    await publishing.publisher.publishMany(Numbered, numbers(50));
    for (let member = 0; member < members; member += 1) {
      await subscribe(await start(server), { topic: Numbered, group: 'g' }, async ({ value }: Value) => void handled.push(value));
    }
    for (let value = 50; value < 400; value += 1) await publishing.publisher.publish(Numbered, { value });
    expect(await drained(publishing, Numbered)).toMatchObject({ handled: 400, deadLettered: 0, fenced: 0, redelivered: 0 });
    expect(sorted(handled)).toEqual(all(400));
  });

  it('tries a failed message again, and dead-letters one that always fails', async () => {
    const process = await start(new MemoryServer());
    const retry = { attempts: 3, backoff: fixed('20ms'), deadLetterOn: [] };
    await subscribe(process, { topic: Single, group: 'g', retry }, async ({ value }: Value, { attempt }: DeliveryContext) => {
      if (value === 0 && attempt === 1) throw new Error('as planned');
      if (value === 1) throw new Error('as ever');
    });
    await process.publisher.publishMany(Single, numbers(3));
    expect(await drained(process, Single)).toMatchObject({ handled: 2, retried: 3, deadLettered: 1 });
    expect(await process.streams.inspector.deadLetters(topicOf(Single), 'g')).toMatchObject([{ payload: { value: 1 }, reason: 'ATTEMPTS_EXHAUSTED' }]);
  });

  it('hands out a delayed message when it is due', async () => {
    const process = await start(new MemoryServer());
    const handled: number[] = [];
    await subscribe(process, { topic: Single, group: 'g' }, async ({ value }: Value) => void handled.push(value));
    expect(await process.publisher.publish(Single, { value: 1 }, { delay: '1s' })).toMatchObject({ offset: null });
    expect(await process.publisher.publish(Single, { value: 0 })).toMatchObject({ offset: 0 });
    await waitFor(() => handled.length === 2, { what: 'both messages to be handled' });
    expect(handled).toEqual([0, 1]);
  });

  it('hands out nothing while the group is paused, and everything again after a seek', async () => {
    const process = await start(new MemoryServer());
    const handled: number[] = [];
    await subscribe(process, { topic: Single, group: 'g' }, async ({ value }: Value) => void handled.push(value));
    const { groups } = process.streams;
    expect(await groups.pause(Single, 'g')).toEqual({ busy: [] });
    await process.publisher.publishMany(Single, numbers(5));
    expect(handled).toEqual([]);
    await groups.resume(Single, 'g');
    await drained(process, Single);
    await groups.pause(Single, 'g');
    await groups.seek(Single, 'g', { to: 'earliest' });
    await groups.resume(Single, 'g');
    await waitFor(() => handled.length === 10, { what: 'all messages to be handled twice' });
    expect(sorted(handled)).toEqual(sorted([...all(5), ...all(5)]));
  });

  it('hands each message to every process that follows a broadcast', async () => {
    const server = new MemoryServer();
    const seen: number[][] = [];
    for (const index of [0, 1, 2]) {
      const process = await start(server);
      const handle = (async ({ value }: Value) => void (seen[index] ??= []).push(value)) as never;
      const handler = deliveryPipeline({ topic: topicOf(Numbered), group: '~broadcast', retry: noRetry, handle });
      await process.streams.broadcast({ topic: topicOf(Numbered), concurrency: 4 }, handler);
    }
    await running[0]!.publisher.publishMany(Numbered, numbers(30));
    await waitFor(() => seen.filter((values) => values.length === 30).length === 3, { what: 'all processes to have all messages' });
    expect(seen.map(sorted)).toEqual([all(30), all(30), all(30)]);
  });

  it('puts back the messages of a process that vanished', async () => {
    const server = new MemoryServer();
    const [one, other] = [await start(server), await start(server)];
    await subscribe(one, { topic: Single, group: 'g' }, () => new Promise(() => undefined));
    await one.publisher.publishMany(Single, numbers(10));
    await waitFor(async () => (await one.streams.inspector.group(topicOf(Single), 'g')).pending > 0, { what: 'a member to hold messages' });
    const handled: number[] = [];
    await subscribe(other, { topic: Single, group: 'g' }, async ({ value }: Value) => void handled.push(value));
    one.vanish();
    expect(await drained(other, Single)).toMatchObject({ handled: 10 });
    expect(sorted(handled)).toEqual(all(10));
  });
});
