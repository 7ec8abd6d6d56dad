import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import {
  deliveryPipeline, type DeliveryContext, fixed, fsynced, IndefinitePublishError, listen, replicated, topicOf,
} from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { type Process, signal, startProcess, subscribe } from './fixture.js';
import { ReplicatedBed } from './replicated-bed.js';
import { numbers, Single } from './topics.js';

type Value = { value: number };

const WAIT = { timeoutMs: 10_000 };
const bed = new ReplicatedBed('failover');
const stops: (() => unknown)[] = [];

beforeEach(() => bed.follow());
afterEach(() => Promise.all(stops.splice(0).map((stop) => stop())));

const logKey = (): string => bed.place(Single, 'g').keys.log;
const range = (from: number, until: number): number[] => numbers(until).slice(from).map(({ payload }) => payload.value);
const distinct = (values: Iterable<number>): number[] => [...new Set(values)].sort((a, b) => a - b);

async function publish(process: Process, values: readonly number[]): Promise<void> {
  for (const value of values) await process.publisher.publish(Single, { value });
}

async function storedValues(): Promise<number[]> {
  const entries = (await bed.command('XRANGE', logKey(), '-', '+')) as [string, string[]][];
  const envelopes = entries.flatMap(([, fields]) => JSON.parse(fields[1]!) as [number, string, null, null, null, Value][]);
  return envelopes.map(([, , , , , { value }]) => value);
}

/** Acts as if the clock of the primary were ahead: its ids are higher than those of the new primary will be. */
async function setClockAhead(): Promise<void> {
  await bed.command('XSETID', logKey(), `${Date.now() + 600_000}-0`);
}

/** Kills the primary; its unreplicated data is gone. */
async function crash(): Promise<void> {
  await bed.server.kill();
  await bed.failOver();
}

async function handler(process: Process): Promise<number[]> {
  const seen: number[] = [];
  await subscribe(process, { topic: Single, group: 'g' }, async ({ value }: Value) => void seen.push(value));
  return seen;
}

/** Four messages are at work, and no more begin, until `go` is called; half of them fail at their first attempt. */
async function fourInHand(): Promise<{ publisher: Process; member: Process; runs: string[]; go: () => void }> {
  const [publisher, member] = [await bed.start(), await bed.start({ leaseMs: 2_000 })];
  const hold = signal();
  const runs: string[] = [];
  const retry = { attempts: 3, backoff: fixed('1ms'), deadLetterOn: [] };
  await subscribe(member, { topic: Single, group: 'g', retry, concurrency: 4 }, async ({ value }: Value, { attempt }) => {
    runs.push(`${value}/${attempt}`);
    await hold.promise;
    if (value % 2 === 0 && attempt === 1) throw new Error('as planned');
  });
  await publish(publisher, range(0, 4));
  await waitFor(() => runs.length === 4, { what: 'four to begin', ...WAIT });
  return { publisher, member, runs, go: () => hold.fire() };
}

async function follow(process: Process, seen: number[]): Promise<void> {
  const topic = topicOf(Single);
  const retry = { attempts: 1, backoff: fixed('1ms'), deadLetterOn: [] };
  const handle = (async ({ value }: Value) => void seen.push(value)) as never;
  await process.streams.broadcast({ topic, concurrency: 4 }, deliveryPipeline({ topic, group: '~broadcast', retry, handle }));
}

describe('when a replica takes over from a primary that was killed', () => {
  it('messages that replicated(1) confirmed are there, and are handled; others were rejected as indefinite', async () => {
    const [publisher, member] = [await bed.start(), await bed.start()];
    const seen = await handler(member);
    const [attempted, confirmed, errors] = [new Set<number>(), new Set<number>(), [] as unknown[]];
    let isOver = false;
    stops.push(() => (isOver = true));
    const publishing = Array.from({ length: 8 }, async (_, lane) => {
      for (let value = lane; !isOver; value += 8) {
        attempted.add(value);
        const published = publisher.publisher.publish(Single, { value }, { durability: replicated(1, '300ms'), idempotencyKey: `k${value}` });
        await published.then(() => confirmed.add(value), (error: unknown) => errors.push(error));
      }
    });
    await waitFor(() => confirmed.size >= 200, { what: 'messages to flow', ...WAIT });
    await bed.cutReplication();
    const settled = confirmed.size + errors.length;
    await waitFor(() => confirmed.size + errors.length >= settled + 16, { what: 'messages to be stored by the primary alone', ...WAIT });
    await crash();
    isOver = true;
    await Promise.all(publishing);
    await waitFor(() => [...confirmed].every((value) => seen.includes(value)), { what: 'the confirmed messages to be handled', ...WAIT });
    await bed.drained(member, Single, 'g', 10_000);
    for (const error of errors) expect(error).toBeInstanceOf(IndefinitePublishError);
    const stored = await storedValues();
    expect([...confirmed].filter((value) => !stored.includes(value))).toEqual([]);
    expect(stored).toHaveLength(new Set(stored).size);
    expect(stored.filter((value) => !seen.includes(value))).toEqual([]);
    expect(seen.filter((value) => !attempted.has(value))).toEqual([]);
  });

  it('a group goes on without the tail that was lost, and skips nothing that is published with its offsets', async () => {
    const [publisher, member] = [await bed.start(), await bed.start()];
    const seen = await handler(member);
    await publish(publisher, range(0, 20));
    await bed.drained(member, Single, 'g', 10_000);
    await bed.inStep();
    await bed.cutReplication();
    await publish(publisher, range(20, 30));
    await bed.drained(member, Single, 'g', 10_000);
    await crash();
    await publish(publisher, range(100, 120));
    await waitFor(() => range(100, 120).every((value) => seen.includes(value)), { what: 'all of the new ones to be handled', ...WAIT });
    await bed.drained(member, Single, 'g', 10_000);
    expect(await storedValues()).toEqual([...range(0, 20), ...range(100, 120)]);
    expect(await bed.state(member, Single, 'g')).toMatchObject({ handled: 40, lost: 0, lag: 0, deadLettered: 0 });
  });

  it('a topic and a group that the replica does not know are made again', async () => {
    const [publisher, member] = [await bed.start(), await bed.start()];
    await bed.cutReplication();
    const seen = await handler(member);
    await publish(publisher, range(0, 3));
    await bed.drained(member, Single, 'g', 10_000);
    await crash();
    await publish(publisher, range(3, 6));
    await waitFor(() => seen.length >= 6, { what: 'the new ones to be handled', ...WAIT });
    await bed.drained(member, Single, 'g', 10_000);
    expect(distinct(seen)).toEqual(range(0, 6));
  });

  it('messages whose settlement the replica does not know are handled again, and counted once', async () => {
    const { publisher, member, runs, go } = await fourInHand();
    // The replica has these, but not their deliveries.
    await publish(publisher, range(4, 8));
    await bed.inStep();
    await bed.cutReplication();
    go();
    await waitFor(async () => (await bed.state(publisher, Single, 'g')).handled === 8, { what: 'all to be settled', ...WAIT });
    await crash();
    await bed.drained(member, Single, 'g', 10_000);
    expect(runs.filter((run) => run.endsWith('/1')).sort()).toEqual([...range(0, 8), ...range(0, 8)].map((value) => `${value}/1`).sort());
    expect(await bed.state(member, Single, 'g')).toMatchObject({ handled: 8, lost: 0, deadLettered: 0 });
  });

  it('messages that are settled meanwhile are settled at the new primary, and not handled again', async () => {
    const { member, runs, go } = await fourInHand();
    await bed.inStep();
    await bed.server.kill();
    go();
    await bed.failOver();
    await bed.drained(member, Single, 'g', 10_000);
    expect(runs.sort()).toEqual(['0/1', '0/2', '1/1', '2/1', '2/2', '3/1']);
    expect(await bed.state(member, Single, 'g')).toMatchObject({ handled: 4, fenced: 0, redelivered: 0 });
  });
});

describe('the memory of a process about the old primary', () => {
  it('settles nothing of another message that has the same entry id and offset', async () => {
    const [publisher, member] = [await bed.start(), await bed.start()];
    const [old, other] = [signal(), signal()];
    const seen: string[] = [];
    const fenced: string[] = [];
    stops.push(listen('fenced', ({ group }) => void fenced.push(String(group))));
    const retry = { attempts: 2, backoff: fixed('1ms'), deadLetterOn: [] };
    await subscribe(member, { topic: Single, group: 'g', retry }, async ({ value }: Value, { attempt }) => {
      seen.push(`${value}/${attempt}`);
      if (value === 1) await old.promise;
      if (value !== 2 || attempt === 2) return;
      await other.promise;
      throw new Error('as planned');
    });
    await publish(publisher, [0]);
    await setClockAhead();
    await bed.inStep();
    await bed.cutReplication();
    await publish(publisher, [1]);
    await waitFor(() => seen.includes('1/1'), { what: 'the one that will be lost to begin', ...WAIT });
    const [[lostId]] = (await bed.command('XREVRANGE', logKey(), '+', '-', 'COUNT', 1)) as [[string]];
    await crash();
    await publish(publisher, [2]);
    await waitFor(() => seen.includes('2/1'), { what: 'the other to begin', ...WAIT });
    expect(await bed.command('XREVRANGE', logKey(), '+', '-', 'COUNT', 1)).toEqual([[lostId, expect.anything()]]);
    old.fire();
    await waitFor(() => fenced.length > 0, { what: 'the settlement of the lost one to be refused', ...WAIT });
    other.fire();
    await waitFor(() => seen.includes('2/2'), { what: 'the other to be tried again', ...WAIT });
    await bed.drained(member, Single, 'g', 10_000);
    expect(await bed.state(member, Single, 'g')).toMatchObject({ handled: 2, lost: 0 });
  });

  it.each(['reads', 'is paused'])('does not mark new messages as replayed whose offsets are those of a seek that was lost while it %s', async (how) => {
    const [publisher, member] = [await bed.start(), await bed.start()];
    const marks = new Map<number, boolean>();
    const subscription = await subscribe(member, { topic: Single, group: 'g' }, async ({ value }: Value, { replayed }: DeliveryContext) => void marks.set(value, replayed));
    await publish(publisher, range(0, 3));
    await bed.drained(member, Single, 'g', 10_000);
    await bed.inStep();
    await bed.cutReplication();
    await publish(publisher, range(3, 6));
    await bed.drained(member, Single, 'g', 10_000);
    await publisher.streams.groups.seek(topicOf(Single), 'g', { to: 'earliest' });
    await waitFor(() => marks.get(5) === true, { what: 'all to be handled again', ...WAIT });
    if (how === 'is paused') await subscription.pause();
    await crash();
    await publish(publisher, range(10, 13));
    subscription.resume();
    await waitFor(() => marks.has(12), { what: 'the new ones to be handled', ...WAIT });
    expect(range(10, 13).map((value) => marks.get(value))).toEqual([false, false, false]);
  });

  it('does not confirm fsynced() on a new primary that does not write at once', async () => {
    const process = await bed.start();
    await bed.command('CONFIG', 'SET', 'appendonly', 'yes');
    await bed.command('CONFIG', 'SET', 'appendfsync', 'always');
    await process.publisher.publish(Single, { value: 0 }, { durability: fsynced() });
    await bed.inStep();
    await crash();
    const published = process.publisher.publish(Single, { value: 1 }, { durability: fsynced() });
    await expect(published).rejects.toMatchObject({ code: 'REDIS_UNSUPPORTED' });
    expect(await storedValues()).toEqual([0]);
  });
});

describe('a broadcast', () => {
  it('goes on when the new primary has a shorter log, with lower ids, and misses nothing', async () => {
    const [publisher, member] = [await bed.start(), await bed.start()];
    const seen: number[] = [];
    await follow(member, seen);
    await publish(publisher, range(0, 3));
    await waitFor(() => seen.length === 3, { what: 'the first', ...WAIT });
    await bed.inStep();
    await bed.cutReplication();
    await setClockAhead();
    await publish(publisher, range(3, 6));
    await waitFor(() => seen.length === 6, { what: 'those that will be lost', ...WAIT });
    await crash();
    await publish(publisher, range(10, 13));
    await waitFor(() => seen.includes(12), { what: 'the new ones', ...WAIT });
    expect(seen).toEqual([...range(0, 6), ...range(10, 13)]);
  });

  it.each([0, 3])('misses nothing when all messages that it has read are lost, and it follows from message %i on', async (kept) => {
    const publisher = await bed.start();
    const { process: member, proxy } = await bed.startBehindProxy();
    await publisher.streams.declare(topicOf(Single));
    await publish(publisher, range(0, kept));
    await bed.inStep();
    await bed.cutReplication();
    await setClockAhead();
    if (kept > 0) await publish(publisher, [kept]);
    const seen: number[] = [];
    await follow(member, seen);
    await publish(publisher, range(4, 6));
    await waitFor(() => seen.length === 2, { what: 'those that will be lost', ...WAIT });
    await proxy.refuse();
    await crash();
    await publish(publisher, range(10, 13));
    await proxy.pass();
    await waitFor(() => seen.includes(12), { what: 'the new ones', ...WAIT });
    expect(seen).toEqual([4, 5, 10, 11, 12]);
  });

  it('does not take a new message for an earlier one with the same entry id', async () => {
    const publisher = await bed.start();
    const { process: member, proxy } = await bed.startBehindProxy();
    const seen: number[] = [];
    await follow(member, seen);
    await publish(publisher, [0]);
    await setClockAhead();
    await bed.inStep();
    await bed.cutReplication();
    await publish(publisher, [1]);
    await waitFor(() => seen.includes(1), { what: 'the one that will be lost', ...WAIT });
    await proxy.refuse();
    await crash();
    await publish(publisher, [2]);
    await proxy.pass();
    await waitFor(() => seen.includes(2), { what: 'the new one', ...WAIT });
    expect(seen).toEqual([0, 1, 2]);
  });

  it('misses nothing that was published before it came back, though the log is longer by then', async () => {
    const publisher = await bed.start();
    const { process: member, proxy } = await bed.startBehindProxy();
    const [seen, lost] = [[] as number[], [] as number[]];
    stops.push(listen('lost', ({ count }) => void lost.push(count)));
    await follow(member, seen);
    await publish(publisher, range(0, 3));
    await waitFor(() => seen.length === 3, { what: 'the first', ...WAIT });
    await bed.inStep();
    await bed.cutReplication();
    await setClockAhead();
    await publish(publisher, range(3, 6));
    await waitFor(() => seen.length === 6, { what: 'those that will be lost', ...WAIT });
    await proxy.refuse();
    await crash();
    await publish(publisher, range(10, 20));
    await setClockAhead();
    await publish(publisher, range(20, 25));
    await proxy.pass();
    await waitFor(() => seen.includes(24), { what: 'the new ones', ...WAIT });
    expect(seen).toEqual([...range(0, 6), ...range(10, 25)]);
    expect(lost).toEqual([]);
  });
});

describe('an old primary that goes on', () => {
  it('is a zombie: no message that it takes is confirmed with replicated(1), or delivered', async () => {
    const [publisher, member] = [await bed.start(), await bed.start()];
    const seen = await handler(member);
    const options = { durability: replicated(1, '300ms') };
    await publisher.publisher.publish(Single, { value: 0 }, { durability: replicated(1, '4s') });
    bed.server.pause();
    const inFlight = publisher.publisher.publish(Single, { value: 1 }, { ...options, deadline: '5s' });
    const rejected = expect(inFlight).rejects.toBeInstanceOf(IndefinitePublishError);
    await bed.failOver();
    await rejected;
    bed.replica.resume();
    const left = await startProcess(bed.replica, { prefix: bed.prefix, leaseMs: 300 });
    stops.push(() => left.stop());
    await expect(left.publisher.publish(Single, { value: 2 }, options)).rejects.toThrow(/^0 of 1 replicas/);
    await publisher.publisher.publish(Single, { value: 3 });
    await waitFor(() => seen.includes(3), { what: 'the new primary to be used', ...WAIT });
    expect(seen).not.toContain(2);
    expect(await storedValues()).toEqual([0, 1, 3]);
  });

  it('is left by every connection whose writes it refuses, when it was made a replica', async () => {
    const [publisher, member] = [await bed.start(), await bed.start()];
    const [seen, heard] = [await handler(member), [] as number[]];
    await follow(member, heard);
    await publish(publisher, range(0, 3));
    await bed.inStep();
    await bed.promote();
    await bed.onOld('REPLICAOF', '127.0.0.1', bed.server.port);
    await publish(publisher, range(3, 6));
    await waitFor(() => seen.includes(5) && heard.includes(5), { what: 'the new ones to be handled', ...WAIT });
    await bed.drained(member, Single, 'g', 10_000);
    expect(distinct(seen)).toEqual(range(0, 6));
    expect(distinct(heard)).toEqual(range(0, 6));
  });
});
