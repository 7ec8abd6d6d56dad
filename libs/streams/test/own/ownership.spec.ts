import { afterEach, describe, expect, it } from '@jest/globals';
import { setTimeout as wait } from 'node:timers/promises';
import { type EventMap, listen } from '@millrace/core';
import { TcpProxy, waitFor } from '@millrace/testing';
import { signal } from '../fixture.js';
import { OwnerBed } from './owner-bed.js';
import { type OwnerMember, placesOf } from './owner-member.js';

const PARTITIONS = 6;
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

const controlOf = (partition: number): string => placesOf(bed.plan)[partition]!.groupKeys.control;
/** The notes of a member about a partition, in their order. */
function kindsOf({ name }: OwnerMember, partition: number): string[] {
  return bed.notes.filter((note) => note.member === name && note.partition === partition).map(({ kind }) => kind);
}

/** Keeps the calls of some scripts from Redis. @returns a function that lets them through, also those that were kept */
function hold({ redis }: OwnerMember, ...scripts: string[]): () => void {
  const kept = signal();
  for (const connection of [redis.control, redis.publish]) {
    const run = connection.run.bind(connection);
    connection.run = async (script, ...args) => {
      if (scripts.includes(script.name)) await kept.promise;
      return run(script, ...args);
    };
  }
  return () => kept.fire();
}

/** Counts the calls of the scripts that are about owners. */
function counted({ redis }: OwnerMember): Map<string, number> {
  const counts = new Map<string, number>();
  for (const connection of [redis.control, redis.publish]) {
    const run = connection.run.bind(connection);
    connection.run = (script, ...args) => {
      counts.set(script.name, (counts.get(script.name) ?? 0) + 1);
      return run(script, ...args);
    };
  }
  return counts;
}

const NO_FAULTS = { twoOwners: 0, strayReleases: 0, takenFrom: [] };
const bed = new OwnerBed('own', { partitions: PARTITIONS, leaseMs: 1_500 });

describe('members of an ordered group', () => {
  it('own all partitions, evenly, and each partition has one owner at a time', async () => {
    const [first] = [await bed.join()];
    await bed.settled([first]);
    expect([...first.owned.values()]).toEqual(Array(PARTITIONS).fill(1));
    const second = await bed.join();
    await bed.settled([first, second]);
    const third = await bed.join();
    await bed.settled([first, second, third]);
    await second.stop();
    await bed.settled([first, third]);
    expect([await bed.faults(), bed.overlaps]).toEqual([NO_FAULTS, 0]);
  });

  it('wait for who has to finish first', async () => {
    const ends = signal();
    const first = await bed.join({}, { drain: () => ends.promise });
    await bed.settled([first]);
    const second = await bed.join();
    await waitFor(() => bed.notes.some(({ kind }) => kind === 'revoking'), { what: 'a partition to be revoked' });
    const revoked = bed.notes.filter(({ kind }) => kind === 'revoking').length;
    expect([revoked, first.owned.size, second.owned.size]).toEqual([PARTITIONS / 2, PARTITIONS, 0]);
    ends.fire();
    await bed.settled([first, second]);
    expect([bed.overlaps, await bed.faults()]).toEqual([0, NO_FAULTS]);
  });
});

it('says which partitions come to a member and go from it', async () => {
  const said: EventMap['ownership'][] = [];
  ends.push(listen('ownership', (event) => said.push(event)));
  const kinds = (change: string, epoch: number): number =>
    said.filter((event) => event.change === change && event.epoch === epoch).length;
  const first = await bed.join();
  await bed.settled([first]);
  const place = { topic: 'test.owned', group: 'g' };
  const all = Array.from({ length: PARTITIONS }, (_, partition) => ({ ...place, partition, epoch: 1, change: 'assigned' }));
  expect(said.toSorted((one, other) => one.partition - other.partition)).toEqual(all);
  const second = await bed.join({}, { drain: () => new Promise(() => undefined) });
  await bed.settled([first, second]);
  expect([kinds('given-up', 1), kinds('assigned', 2), said.length]).toEqual([PARTITIONS / 2, PARTITIONS / 2, 2 * PARTITIONS]);
  await second.stop(0);
  await bed.settled([first]);
  expect([kinds('lost', 2), kinds('assigned', 3), said.length]).toEqual([PARTITIONS / 2, PARTITIONS / 2, 3 * PARTITIONS]);
  const release = hold(first, 'beat.lua');
  await waitFor(() => !first.presence.isSure, { what: 'others to take it for dead' });
  for (const partition of [0, 1]) await bed.command('HSET', controlOf(partition), 'owner', 'other', 'epoch', 99);
  release();
  await waitFor(() => said.filter(({ change }) => change === 'lost').length >= PARTITIONS / 2 + 2, { what: 'it to say what it has lost' });
  expect(said.slice(3 * PARTITIONS, 3 * PARTITIONS + 2).map(({ change }) => change)).toEqual(['lost', 'lost']);
});

describe('R24 members that come and go while a partition is drained', () => {
  it('change nothing about who has to finish first', async () => {
    const ended = signal();
    const first = await bed.join({}, { drain: () => ended.promise });
    await bed.settled([first]);
    const second = await bed.join();
    await waitFor(() => bed.notes.some(({ kind }) => kind === 'revoking'), { what: 'a partition to be revoked' });
    await second.stop();
    const third = await bed.join();
    const fourth = await bed.join();
    await waitFor(() => third.presence.isSure && fourth.presence.isSure, { what: 'both to be there' });
    expect([first.owned.size, third.owned.size, fourth.owned.size]).toEqual([PARTITIONS, 0, 0]);
    ended.fire();
    await bed.settled([first, third, fourth]);
    expect([bed.overlaps, await bed.faults()]).toEqual([0, NO_FAULTS]);
  });
});

describe('a member that stops', () => {
  it('drains and releases all, and others own it at once', async () => {
    const [first, second] = await bed.joinMany(2) as [OwnerMember, OwnerMember];
    await bed.settled([first, second]);
    await first.stop();
    await bed.settled([second]);
    expect(first.owned.size).toBe(0);
    expect(bed.notes.filter(({ member, kind }) => member === first.name && kind === 'revoked')).toHaveLength(PARTITIONS / 2);
    expect([bed.overlaps, await bed.faults()]).toEqual([0, NO_FAULTS]);
  });

  it('loses at the deadline the partitions that are not drained, and releases them all the same', async () => {
    const first = await bed.join({}, { drain: () => new Promise(() => undefined) });
    await bed.settled([first]);
    const second = await bed.join();
    await first.stop(50);
    await bed.settled([second]);
    expect(kindsOf(first, 0)).toEqual(['assigned', 'revoking', 'lost']);
    expect([bed.overlaps, await bed.faults()]).toEqual([0, NO_FAULTS]);
  });

  it('is assigned nothing while it stops', async () => {
    const ended = signal();
    const first = await bed.join({}, { drain: () => ended.promise });
    await bed.settled([first]);
    const stopped = first.stop(20_000);
    await waitFor(() => kindsOf(first, 0).includes('revoking'), { what: 'it to drain' });
    for (const partition of [0, 1, 2, 3]) await bed.command('HDEL', controlOf(partition), 'owner');
    const second = await bed.join();
    await waitFor(() => second.owned.size === 4, { what: 'another to own all that are free' });
    ended.fire();
    await stopped;
    await bed.settled([second]);
    expect(bed.notes.filter(({ member, kind }) => member === first.name && kind === 'assigned')).toHaveLength(PARTITIONS);
  });
});

describe('a member that others may have taken for dead', () => {
  it('owns nothing before it has asked Redis, and then what it owned, where nobody took it', async () => {
    const member = await bed.join();
    await bed.settled([member]);
    const letBeats = hold(member, 'beat.lua');
    await waitFor(() => !member.presence.isSure, { what: 'it to be unsure' });
    expect(member.owned.size).toBe(0);
    const letLooks = hold(member, 'look-owners.lua');
    letBeats();
    await waitFor(() => member.presence.isSure, { what: 'it to be sure again' });
    expect(member.owned.size).toBe(0);
    letLooks();
    await bed.settled([member]);
    expect([...member.owned.values()]).toEqual(Array(PARTITIONS).fill(1));
    expect(kindsOf(member, 0)).toEqual(['assigned']);
  });

  it('has lost what others took, and gets its part anew', async () => {
    const [first, second] = await bed.joinMany(2) as [OwnerMember, OwnerMember];
    await bed.settled([first, second]);
    const letBeats = hold(first, 'beat.lua');
    await bed.settled([second]);
    letBeats();
    await bed.settled([first, second]);
    expect(bed.notes.filter(({ member, kind }) => member === first.name && kind === 'lost')).toHaveLength(PARTITIONS / 2);
    expect(await bed.faults()).toEqual({ ...NO_FAULTS, takenFrom: Array(PARTITIONS / 2).fill(first.name) });
  });

  it('takes nothing from others whom it cannot see', async () => {
    const [first, second] = await bed.joinMany(2) as [OwnerMember, OwnerMember];
    await bed.settled([first, second]);
    const proxy = await TcpProxy.start(bed.url);
    ends.push(() => proxy.stop());
    const third = await bed.join({ url: proxy.url });
    await bed.settled([first, second, third]);
    await proxy.refuse();
    await bed.settled([first, second]);
    await proxy.pass();
    await bed.settled([first, second, third]);
    expect(await bed.faults()).toEqual({ ...NO_FAULTS, takenFrom: Array(PARTITIONS / 3).fill(third.name) });
  });
});

describe('an outage of Redis', () => {
  it('moves no partition', async () => {
    const proxy = await TcpProxy.start(bed.url);
    ends.push(() => proxy.stop());
    const members = [await bed.join({ url: proxy.url }), await bed.join({ url: proxy.url }), await bed.join({ url: proxy.url })];
    await bed.settled(members);
    const before = members.map(({ owned }) => owned);
    const changes = (await bed.tape.catchUp()).length;
    await proxy.refuse();
    await waitFor(() => members.every(({ presence, owned }) => !presence.isSure && owned.size === 0), { what: 'all to be unsure' });
    await wait(2 * bed.leaseMs);
    await proxy.pass();
    await bed.settled(members);
    expect([members.map(({ owned }) => owned), (await bed.tape.catchUp()).length]).toEqual([before, changes]);
  });
});

describe('records that are gone or damaged', () => {
  it('FLUSHALL: each partition is lost before it is owned again, under a higher epoch than anybody knows', async () => {
    const members = await bed.joinMany(2);
    await bed.settled(members);
    const before = new Map(members.flatMap(({ owned }) => [...owned]));
    await bed.command('FLUSHALL');
    await Promise.all(members.map((member) => member.joinGroup()));
    const isHigher = ([partition, epoch]: [number, number]): boolean => epoch > before.get(partition)!;
    await waitFor(() => {
      const after = members.flatMap(({ owned }) => [...owned]);
      return after.length === PARTITIONS && after.every(isHigher);
    }, { what: 'all partitions to be owned anew' });
    expect([bed.overlaps, (await bed.faults()).twoOwners]).toEqual([0, 0]);
  });

  it.each([
    ['an epoch that is no number', 'epoch', 'seven'],
    ['an epoch that is too high', 'epoch', '9'.repeat(20)],
    ['an owner that is no member', 'owner', 'somebody'],
  ])('%s: the owner loses the partition, and it is owned again under a higher epoch', async (_, field, text) => {
    const member = await bed.join();
    await bed.settled([member]);
    await bed.command('HSET', controlOf(2), field, text);
    member.ownership.wake();
    await waitFor(() => member.owned.get(2) === 2, { what: 'the partition to be owned again' });
    expect(kindsOf(member, 2)).toEqual(['assigned', 'lost', 'assigned']);
    expect(member.owned.size).toBe(PARTITIONS);
  });

  it('a key of the wrong type is reported, keeps no other partition from its owner, and is used when it is whole again', async () => {
    const failed = signal<string>();
    ends.push(listen('loop-failed', ({ loop, error }) => loop === 'own' && failed.fire(error.message)));
    await bed.command('SET', controlOf(2), 'in the way');
    const member = await bed.join();
    await waitFor(() => member.owned.size === PARTITIONS - 1, { what: 'the others to be owned' });
    expect(await failed.promise).toContain('WRONGTYPE');
    await bed.command('DEL', controlOf(2));
    await bed.settled([member]);
  });
});

describe('an epoch that a database knows', () => {
  it('is passed when Redis has lost it', async () => {
    const member = await bed.join();
    await bed.settled([member]);
    member.ownership.raise(3, 40);
    await waitFor(() => member.owned.get(3) === 41, { what: 'the partition to be owned above it' });
    expect(kindsOf(member, 3)).toEqual(['assigned', 'lost', 'assigned']);
  });
});

describe('an epoch that a database knows of another owner', () => {
  it('is passed when it is the present one, and once only', async () => {
    const member = await bed.join();
    await bed.settled([member]);
    const epoch = member.owned.get(3)!;
    for (let refused = 0; refused < 3; refused += 1) member.ownership.raise(3, epoch);
    await waitFor(() => member.owned.get(3) === epoch + 1, { what: 'the partition to be owned above it' });
    member.ownership.raise(3, epoch);
    await bed.settled([member]);
    expect(member.owned.get(3)).toBe(epoch + 1);
    expect(kindsOf(member, 3)).toEqual(['assigned', 'lost', 'assigned']);
  });
});

describe('an ordered group in which nothing changes', () => {
  it('sends one look for each idle pause and member, and nothing else', async () => {
    const members = [await bed.join({ idlePauseMs: 500 }), await bed.join({ idlePauseMs: 500 })];
    await bed.settled(members);
    const calls = members.map(counted);
    const sinceMs = performance.now();
    await waitFor(() => calls.every((counts) => (counts.get('look-owners.lua') ?? 0) >= 4), { what: 'four looks of each' });
    // A pause has three quarters of its time at the least: a busy machine makes it longer.
    const most = 1 + (performance.now() - sinceMs) / (500 * 0.75);
    for (const counts of calls) {
      expect(counts.get('look-owners.lua')).toBeLessThanOrEqual(most);
      expect([counts.has('acquire.lua'), counts.has('release.lua')]).toEqual([false, false]);
    }
  });
});
