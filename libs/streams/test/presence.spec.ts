import { afterEach, describe, expect, it } from '@jest/globals';
import { type Fate, listen } from '@millrace/core';
import { connectServer, type RedisConnection, type StandaloneTopology } from '@millrace/redis';
import { TcpProxy, waitFor } from '@millrace/testing';
import { Presence } from '../src/group/presence.js';
import { presenceKey } from '../src/keys.js';
import { Bed } from './bed.js';

const LEASE_MS = 1_500;
const bed = new Bed('presence');
const ends: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

interface Peer {
  readonly presence: Presence;
  /** Cuts it off from Redis as kill -9 would. */
  readonly vanish: () => void;
}

async function peer({ control, publish }: { control?: RedisConnection; publish?: RedisConnection } = {}): Promise<Peer> {
  const redis = await connectServer({ url: bed.url });
  const connections = { controlFor: () => control ?? redis.control, publishFor: () => publish ?? redis.publish };
  const presence = new Presence({ redis: connections, prefix: bed.prefix, leaseMs: LEASE_MS });
  ends.push(async () => {
    const stopped = presence.stop();
    redis.close();
    await stopped;
  });
  return { presence, vanish: () => redis.close() };
}

async function proxied(): Promise<{ proxy: TcpProxy; redis: StandaloneTopology }> {
  const proxy = await TcpProxy.start(bed.url);
  const redis = await connectServer({ url: proxy.url });
  ends.push(async () => {
    redis.close();
    await proxy.stop();
  });
  return { proxy, redis };
}

interface Observer {
  readonly fatesOf: (...members: string[]) => Fate[];
  /** How often it was notified that a member is gone. */
  readonly departures: () => number;
}

/** A process without a member, which watches the members of others. */
async function observer(watched: readonly string[]): Promise<Observer> {
  const { presence } = await peer();
  let departures = 0;
  presence.watch({ watched, onGone: () => (departures += 1), onReturn: () => undefined });
  return { fatesOf: (...members) => members.map((member) => presence.fateOf(member)), departures: () => departures };
}

const keyOf = (member: string): string => presenceKey(bed.prefix, member.slice(0, member.lastIndexOf('.')));
const recordOf = async (member: string): Promise<string | null> => (await bed.command('GET', keyOf(member))) as string | null;
const beatsOf = async (member: string): Promise<number> => Number((await recordOf(member))?.split(' ')[0] ?? 0);

function agreed(seen: () => Fate[], expected: readonly Fate[]): Promise<unknown> {
  return waitFor(() => (expect(seen()).toEqual(expected), true), { what: `the fates ${expected.join(', ')}` });
}

/** Resolves after so many beats of a process. */
async function beats(member: string, times: number): Promise<void> {
  const before = await beatsOf(member);
  await waitFor(async () => (await beatsOf(member)) >= before + times, { what: `${times} beats` });
}

describe('the sign of life of a process', () => {
  it('is written before its first member has a name, and goes on', async () => {
    const { presence } = await peer();
    const member = await presence.join();
    expect([await beatsOf(member) > 0, presence.isSure]).toEqual([true, true]);
    await beats(member, 3);
  });

  it('is one for all its members, whose names differ', async () => {
    const { presence } = await peer();
    const [one, other] = [await presence.join(), await presence.join()];
    expect(one).not.toBe(other);
    expect(keyOf(one)).toBe(keyOf(other));
  });

  it('goes over the other connection while only the control connection is a black hole', async () => {
    const { proxy, redis: { control } } = await proxied();
    const { presence } = await peer({ control });
    const member = await presence.join();
    const { fatesOf, departures } = await observer([member]);
    proxy.blackHole();
    await beats(member, 15);
    expect([presence.isSure, fatesOf(member), departures()]).toEqual([true, ['living'], 0]);
  });

  it('R20 does not wait behind a huge write that the other connection has to carry', async () => {
    const { proxy, redis: { publish } } = await proxied();
    const { presence } = await peer({ publish });
    const member = await presence.join();
    const { fatesOf, departures } = await observer([member]);
    proxy.blackHole(['requests']);
    const written = publish.call('SET', `${bed.prefix}:huge`, 'x'.repeat(64_000_000)).catch(() => undefined);
    await beats(member, 15);
    expect([presence.isSure, fatesOf(member), departures()]).toEqual([true, ['living'], 0]);
    await proxy.pass();
    await written;
  });

  it('is not given by a process without members, which looks all the same', async () => {
    const { presence } = await peer();
    const member = await presence.join();
    await presence.left(member);
    const { fatesOf } = await observer([member]);
    await agreed(() => fatesOf(member), ['left']);
    expect(await bed.command('KEYS', `${bed.prefix}:{presence}:*`)).toEqual([keyOf(member)]);
  });
});

describe('a process that vanishes', () => {
  it('is dead with all its members, except those that were stopping, and watchers are notified once', async () => {
    const { presence, vanish } = await peer();
    const [working, stopping] = [await presence.join(), await presence.join()];
    const { fatesOf, departures } = await observer([working, stopping]);
    presence.stopping(stopping);
    await waitFor(async () => (await recordOf(stopping))?.split(' ')[1] === '2', { what: 'its word that it stops' });
    await beats(working, 2);
    expect(fatesOf(working, stopping)).toEqual(['living', 'living']);
    vanish();
    await agreed(() => fatesOf(working, stopping), ['dead', 'left']);
    expect(departures()).toBe(1);
  });

  it('is not dead to a process that has just begun to watch', async () => {
    const { presence, vanish } = await peer();
    const member = await presence.join();
    vanish();
    const { fatesOf } = await observer([member]);
    expect(fatesOf(member)).toEqual(['living']);
    await agreed(() => fatesOf(member), ['dead']);
  });

  it('is dead, not gone, when its record is deleted', async () => {
    const { presence, vanish } = await peer();
    const member = await presence.join();
    const { fatesOf } = await observer([member]);
    vanish();
    await bed.command('DEL', keyOf(member));
    await agreed(() => fatesOf(member), ['dead']);
  });
});

describe('a member that others know', () => {
  it('notifies them when it begins to stop, and when it lives though it was taken for dead', async () => {
    const { proxy, redis } = await proxied();
    const { presence } = await peer({ control: redis.control, publish: redis.publish });
    const [member, working] = [await presence.join(), await presence.join()];
    const { presence: other } = await peer();
    let changes = 0;
    const [onGone, onReturn] = [() => undefined, () => undefined];
    other.watch({ watched: [member], onGone, onReturn, onChanged: () => (changes += 1) });
    await beats(member, 2);
    expect([changes, other.isStopping(member), presence.isStopping(member)]).toEqual([0, false, false]);
    presence.stopping(member);
    await waitFor(() => changes === 1, { what: 'the other to learn that it stops' });
    const stops = [other, presence].flatMap((each) => [each.isStopping(member), each.isStopping(working)]);
    expect(stops).toEqual([true, false, true, false]);
    proxy.blackHole();
    await waitFor(() => other.fateOf(working) === 'dead', { what: 'it to be taken for dead' });
    expect(changes).toBe(1);
    await proxy.pass();
    await waitFor(() => changes === 2, { what: 'the other to learn that it lives' });
    expect(other.fateOf(working)).toBe('living');
  });
});

describe('a member that left something behind', () => {
  it('has left at once, while the other members of its process live', async () => {
    const { presence } = await peer();
    const [working, leaving] = [await presence.join(), await presence.join()];
    const { fatesOf, departures } = await observer([working, leaving]);
    await presence.left(leaving);
    await agreed(() => fatesOf(working, leaving), ['living', 'left']);
    expect(departures()).toBe(1);
  });

  it('has left for its own process, too, which may have its next member by then', async () => {
    const { presence } = await peer();
    const [leaving, departing, next] = [await presence.join(), await presence.join(), await presence.join()];
    expect([leaving, departing, next].map((member) => presence.fateOf(member))).toEqual(['living', 'living', 'living']);
    await presence.left(leaving);
    presence.departed(departing);
    expect([leaving, departing, next].map((member) => presence.fateOf(member))).toEqual(['left', 'left', 'living']);
  });

  it('keeps the record of its process when that ends', async () => {
    const { presence } = await peer();
    const member = await presence.join();
    await presence.left(member);
    await presence.stop();
    const { fatesOf } = await observer([member]);
    await agreed(() => fatesOf(member), ['left']);
  });
});

describe('a process that has had many members', () => {
  it('names in its record those that are there alone', async () => {
    const { presence } = await peer();
    const first = await presence.join();
    for (let number = 2; number <= 200; number += 1) {
      const member = await presence.join();
      presence.stopping(member);
      if (number % 2 === 0) presence.departed(member);
      else await presence.left(member);
    }
    const [last, next] = [await presence.join(), await presence.join()];
    await beats(first, 2);
    expect((await recordOf(first))?.split(' ').slice(1)).toEqual(['', '202', '1,201-202']);
    const { fatesOf } = await observer([first, last, next]);
    await beats(first, 2);
    expect(fatesOf(first, last, next)).toEqual(['living', 'living', 'living']);
  });
});

describe('a process that ends in order', () => {
  it('leaves no record', async () => {
    const { presence } = await peer();
    const member = await presence.join();
    await beats(member, 2);
    await presence.stop();
    expect(await recordOf(member)).toBeNull();
  });
});

describe('a process whose signs of life did not reach Redis for a while', () => {
  it('is not sure of the messages that it holds, and notifies its watchers when it reaches Redis again', async () => {
    const { proxy, redis } = await proxied();
    const { presence } = await peer(redis);
    const member = await presence.join();
    let returns = 0;
    presence.watch({ watched: [], onGone: () => undefined, onReturn: () => (returns += 1) });
    await beats(member, 2);
    expect([presence.isSure, returns]).toEqual([true, 0]);
    proxy.blackHole();
    await waitFor(() => !presence.isSure, { what: 'it to be unsure' });
    await proxy.pass();
    await waitFor(() => presence.isSure, { what: 'it to be sure again' });
    expect(returns).toBeGreaterThanOrEqual(1);
  });
});

it('counts the beats that Redis refuses one after the other, until it takes one', async () => {
  const counts: number[] = [];
  const stopListening = listen('loop-failed', ({ loop, failures }) => {
    if (loop === 'presence') counts.push(failures);
  });
  ends.push(async () => stopListening());
  const { presence } = await peer();
  await presence.join();
  await bed.command('CONFIG', 'SET', 'min-replicas-to-write', 1);
  ends.push(() => bed.command('CONFIG', 'SET', 'min-replicas-to-write', 0));
  await waitFor(() => counts.length >= 3, { what: 'three beats to be refused' });
  expect(counts).toEqual(counts.map((_, index) => index + 1));
});
