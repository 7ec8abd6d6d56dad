import { afterEach, describe, expect, it } from '@jest/globals';
import { setTimeout as wait } from 'node:timers/promises';
import { listen, topicOf } from '@millrace/core';
import { connectServer } from '@millrace/redis';
import { waitFor } from '@millrace/testing';
import { TopicLog } from '../src/log/topic-log.js';
import { rankOf } from '../src/group/rendezvous.js';
import { Bed } from './bed.js';
import { SelectiveProxy } from './crashes/selective-proxy.js';
import { type Process, startProcess, subscribe } from './fixture.js';
import { numbers, Single, Wide } from './topics.js';

const bed = new Bed('rings');
const LEASE_MS = 30_000;

async function clients(pattern: RegExp): Promise<string[]> {
  const list = String(await bed.command('CLIENT', 'LIST')).split('\n');
  return list.filter((line) => pattern.test(line) && !/name=spec:/.test(line));
}

async function reads(): Promise<number> {
  return Number(/cmdstat_xreadgroup:calls=(\d+)/.exec(String(await bed.command('INFO', 'commandstats')))?.[1] ?? 0);
}

/** Resolves when as many connections as there are members are subscribed to rings. */
function heard(members: number): Promise<unknown> {
  return waitFor(async () => (await clients(/ ssub=[1-9]/)).length === members, { what: 'members to hear rings' });
}

describe('an idle process', () => {
  it('has three connections, however many topics and groups it is subscribed to', async () => {
    const process = await bed.start({ leaseMs: LEASE_MS });
    const topics = numbers(20).map((_, number) => ({ ...topicOf(Wide), name: `idle.${number}` }));
    const definition = { group: 'g', concurrency: 1, crashLimit: 3 };
    const handler = (): Promise<{ kind: 'ack' }> => Promise.resolve({ kind: 'ack' });
    await Promise.all(topics.map((topic) => process.streams.subscribe({ topic, ...definition }, handler)));
    await waitFor(async () => (await clients(/ ssub=320 /)).length === 1, { what: 'all rings to be heard' });
    expect(await clients(/name=/)).toHaveLength(3);
  });

  it('reads once or twice for a message, however many members there are', async () => {
    const members = await Promise.all(numbers(6).map(() => bed.start({ leaseMs: LEASE_MS })));
    const handled: number[] = [];
    for (const member of members) await subscribe(member, { topic: Single, group: 'g' }, async ({ value }: Single) => void handled.push(value));
    await heard(members.length);
    const handling = async (value: number): Promise<void> => {
      await members[0]!.publisher.publish(Single, { value });
      await waitFor(() => handled.includes(value), { what: 'the message to be handled' });
    };
    await handling(0);
    await wait(500);
    const readsOfSix = async (first: number): Promise<number> => {
      const before = await reads();
      for (let value = first; value < first + 6; value += 1) {
        await handling(value);
        // Slower than ten a second: the group stays idle.
        await wait(250);
      }
      return (await reads()) - before;
    };
    // Where a busy machine keeps a member from its turn for 10 ms, the next one reads as well: then it is tried again.
    const rounds: number[] = [];
    while (rounds.length < 5 && (rounds.at(-1) ?? 13) > 12) rounds.push(await readsOfSix(rounds.length * 6 + 1));
    expect(rounds.at(-1)).toBeLessThanOrEqual(12);
  });
});

describe('busy subscriptions', () => {
  it('share eight connections that may block, and subscriptions without one go on by rings', async () => {
    const process = await bed.start({ leaseMs: LEASE_MS });
    const topics = numbers(10).map((_, number) => ({ ...topicOf(Single), name: `busy.${number}` }));
    const counts = new Map<string, number>();
    for (const topic of topics) {
      await process.streams.subscribe({ topic, group: 'g', concurrency: 4, crashLimit: 3 }, async (delivery) => {
        counts.set(delivery.topic, (counts.get(delivery.topic) ?? 0) + 1);
        return { kind: 'ack' };
      });
    }
    const draft = { key: null, headers: {}, type: 'Single', schemaVersion: 1, idempotencyKey: null, payloadJson: '{"value":1}' };
    const publish = (topic: (typeof topics)[number], id: string): Promise<unknown> =>
      process.streams.publish(topic, { ...draft, id, publishedAt: Date.now(), trace: null } as never);
    await Promise.all(topics.flatMap((topic) => numbers(60).map((_, number) => publish(topic, `${topic.name}-${number}`))));
    await waitFor(() => topics.every(({ name }) => counts.get(name) === 60), { what: 'all to be handled' });
    expect((await clients(/:read /)).length).toBeLessThanOrEqual(8);
  });
});

describe('a ring that is not heard', () => {
  const proxies: SelectiveProxy[] = [];
  const processes: Process[] = [];
  afterEach(async () => {
    for (const proxy of proxies) proxy.pass();
    await Promise.all(processes.splice(0).map((process) => process.stop()));
    await Promise.all(proxies.splice(0).map((proxy) => proxy.stop()));
  });

  async function memberBehindProxy(): Promise<{ proxy: SelectiveProxy; handled: number[] }> {
    const proxy = await SelectiveProxy.start(bed.url);
    proxies.push(proxy);
    const process = await startProcess(proxy.url, { prefix: bed.prefix, leaseMs: LEASE_MS });
    processes.push(process);
    const handled: number[] = [];
    await subscribe(process, { topic: Single, group: 'g' }, async ({ value }: Single) => void handled.push(value));
    await heard(1);
    return { proxy, handled };
  }

  it.each([
    ['its connection is cut', 'break'],
    ['its connection is silent', 'keep'],
  ] as const)('while %s: the message is handled all the same', async (_, verdict) => {
    const publisher = await bed.start();
    const { proxy, handled } = await memberBehindProxy();
    proxy.follow(({ name, direction }) => (name.endsWith(':rings') && direction === 'reply' ? verdict : 'pass'));
    await publisher.publisher.publish(Single, { value: 1 });
    await waitFor(() => handled.length === 1, { what: 'the message to be handled', timeoutMs: 20_000 });
    proxy.pass();
    await heard(1);
    await publisher.publisher.publish(Single, { value: 2 });
    await waitFor(() => handled.length === 2, { what: 'the next one to be handled' });
  });

  it('as this user may not ring: the topic is refused with the words that are missing', async () => {
    await bed.command('ACL', 'SETUSER', 'deaf', 'reset', 'on', '>secret', '~*', '+@all', 'resetchannels');
    const url = bed.url.replace('redis://', 'redis://deaf:secret@');
    const redis = await connectServer({ url });
    const declared = new TopicLog(redis, bed.prefix).declare(topicOf(Single));
    await expect(declared).rejects.toMatchObject({ code: 'REDIS_FAILED', message: expect.stringMatching(/\+spublish.*&rings-[^ ]*:\*/) });
    redis.close();
  });

  it('after the connection for rings failed, reports that', async () => {
    const failures: unknown[] = [];
    const stop = listen('connection', ({ name, state }) => {
      if (name.endsWith(':rings')) failures.push(state);
    });
    const { proxy } = await memberBehindProxy();
    proxy.follow(({ name }) => (name.endsWith(':rings') ? 'break' : 'pass'));
    await waitFor(() => failures.includes('lost'), { what: 'the loss to be reported', timeoutMs: 10_000 });
    stop();
  });
});

describe('the ranks of members', () => {
  const members = ['a.1', 'b.1', 'c.1', 'd.1'];
  const keys = numbers(2_000).map((_, number) => `topic/g/${number}`);
  const firstOf = (key: string, among: string[]): string => among.find((member) => rankOf(member, among, key) === 0)!;

  it('are a permutation of the places', () => {
    for (const key of keys.slice(0, 50)) {
      expect(members.map((member) => rankOf(member, members, key)).toSorted()).toEqual([0, 1, 2, 3]);
    }
  });

  it('give each member its share, and move nothing between members that stay', () => {
    const before = keys.map((key) => firstOf(key, members));
    for (const member of members) expect(before.filter((first) => first === member).length).toBeGreaterThan(400);
    const left = members.slice(1);
    keys.forEach((key, index) => {
      if (before[index] !== members[0]) expect(firstOf(key, left)).toBe(before[index]);
    });
  });
});
