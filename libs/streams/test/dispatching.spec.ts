import { describe, expect, it } from '@jest/globals';
import { batchPipeline, type DeliveryContext, listen, topicOf } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { settledKey } from '../src/keys.js';
import { Bed } from './bed.js';
import { noRetry, type Process, signal, subscribe } from './fixture.js';
import { numbers, Single } from './topics.js';

const bed = new Bed('dispatching');
/** A lease so long that no process is taken for dead while a test runs. */
const LEASE_MS = 120_000;
/** Most outcomes that wait for Redis, and most messages that a member reads ahead. */
const MOST_UNSETTLED = 512;
const MOST_AHEAD = 512;

/** How many times each message was handled, and by which member. */
class Runs {
  readonly values: number[] = [];
  readonly unusual: DeliveryContext[] = [];

  add({ value }: Single, context: DeliveryContext): void {
    this.values.push(value);
    if (context.redelivered) this.unusual.push(context);
  }
}

/** A member that is fast until it has handled so many messages: from then on its handlers wait for the gate. */
async function stuckAfter(process: Process, count: number, concurrency: number) {
  const [runs, stuck, gate] = [new Runs(), signal(), signal()];
  let begun = 0;
  const subscription = await subscribe(process, { topic: Single, group: 'g', concurrency }, async (payload: Single, context) => {
    begun += 1;
    if (begun > count) stuck.fire();
    if (begun > count) await gate.promise;
    runs.add(payload, context);
  });
  return { subscription, runs, stuck: stuck.promise, open: () => gate.fire() };
}

async function joined(process: Process, { concurrency = 16, group = 'g' } = {}): Promise<Runs> {
  const runs = new Runs();
  await subscribe(process, { topic: Single, group, concurrency }, async (payload: Single, context) => runs.add(payload, context));
  return runs;
}

/** How many messages were put back so far. */
async function putBack(): Promise<number> {
  const { again } = bed.place(Single, 'g').groupKeys;
  const info = (await bed.command('XINFO', 'STREAM', again)) as (string | number)[];
  return Number(info[info.indexOf('entries-added') + 1]);
}

const ascending = (values: readonly number[]): number[] => values.toSorted((one, other) => one - other);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, value) => value);

describe('messages that were read ahead', () => {
  it('go to a member with free slots when the handlers have become slow, each message once', async () => {
    const slow = await bed.start({ leaseMs: LEASE_MS });
    await slow.publisher.publishMany(Single, numbers(4_000));
    const one = await stuckAfter(slow, 600, 4);
    await one.stuck;
    const other = await joined(await bed.start({ leaseMs: LEASE_MS }));
    await waitFor(() => other.values.length === 4_000 - 604, { what: 'the other to have all that has no slot' });
    expect(await putBack()).toBeGreaterThan(0);
    one.open();
    await bed.drained(slow, Single, 'g');
    expect(ascending([...one.runs.values, ...other.values])).toEqual(upTo(4_000));
    expect([one.runs.unusual, other.unusual]).toEqual([[], []]);
    expect(await bed.state(slow, Single, 'g')).toMatchObject({ handled: 4_000, retried: 0, fenced: 0 });
  });

  it('are put back at once when the subscription is paused, though its handlers have not ended', async () => {
    const slow = await bed.start({ leaseMs: LEASE_MS });
    await slow.publisher.publishMany(Single, numbers(4_000));
    const one = await stuckAfter(slow, 600, 4);
    await one.stuck;
    const paused = one.subscription.pause();
    const other = await joined(await bed.start({ leaseMs: LEASE_MS }));
    await waitFor(() => other.values.length >= 4_000 - 604, { what: 'the other to have all that has no slot' });
    expect(one.runs.values).toHaveLength(600);
    one.open();
    await paused;
    await bed.drained(slow, Single, 'g');
    expect(ascending([...one.runs.values, ...other.values])).toEqual(upTo(4_000));
    expect(await bed.state(slow, Single, 'g')).toMatchObject({ handled: 4_000, retried: 0, fenced: 0 });
  });

  it.each([1, 16])('are none while a lone handler is slow and other members could have them, %s messages an entry', async (messagesPerEntry) => {
    const slow = await bed.start({ leaseMs: LEASE_MS, messagesPerEntry });
    await slow.publisher.publishMany(Single, numbers(64));
    const one = await stuckAfter(slow, 0, 1);
    await one.stuck;
    const other = await joined(await bed.start({ leaseMs: LEASE_MS }), { concurrency: 1 });
    await waitFor(() => other.values.length === 63, { what: 'the other to have all but one' });
    expect(await putBack()).toBe(messagesPerEntry - 1);
    one.open();
    await bed.drained(slow, Single, 'g');
    expect(ascending([...one.runs.values, ...other.values])).toEqual(upTo(64));
  });
});

describe('a slot', () => {
  it('is free when its handler has ended, though Redis does not answer', async () => {
    const { process, proxy } = await bed.startBehindProxy({ leaseMs: LEASE_MS, messagesPerEntry: 16 });
    await process.publisher.publishMany(Single, numbers(16));
    const one = await stuckAfter(process, 0, 1);
    await one.stuck;
    proxy.blackHole();
    one.open();
    await waitFor(() => one.runs.values.length === 16, { what: 'all to be handled, one after the other' });
    expect(await bed.command('EXISTS', settledKey(bed.prefix, bed.place(Single, 'g'), 0))).toBe(0);
    await proxy.pass();
    await bed.drained(process, Single, 'g');
    expect([one.runs.values, one.runs.unusual]).toEqual([upTo(16), []]);
    expect(await bed.state(process, Single, 'g')).toMatchObject({ handled: 16, fenced: 0 });
  });

  it('gets no more messages while too many outcomes wait for Redis, and all goes on when it takes them', async () => {
    // Entries of the largest size from the first on: a member fetches by the size of the last entry.
    const process = await bed.start({ leaseMs: LEASE_MS, messagesPerEntry: 16 });
    await process.publisher.publishMany(Single, numbers(4_000));
    const page = settledKey(bed.prefix, bed.place(Single, 'g'), 0);
    await bed.command('RPUSH', page, 'in the way');
    const runs = await joined(process);
    await waitFor(() => runs.values.length >= MOST_UNSETTLED, { what: 'as many outcomes to wait as may' });
    const others = await joined(process, { group: 'h' });
    await waitFor(() => others.values.length === 4_000, { what: 'a group that has begun later to have handled all' });
    expect(runs.values.length).toBeLessThan(MOST_UNSETTLED + MOST_AHEAD + 2 * 16);
    await bed.command('DEL', page);
    await bed.drained(process, Single, 'g');
    expect(ascending(runs.values)).toEqual(upTo(4_000));
    expect(await bed.state(process, Single, 'g')).toMatchObject({ handled: 4_000, fenced: 0, lag: 0 });
  });
});

describe('stopping', () => {
  it('waits until all handled messages are settled, and puts back the rest', async () => {
    const { process, proxy } = await bed.startBehindProxy({ leaseMs: LEASE_MS });
    const witness = await bed.start({ leaseMs: LEASE_MS });
    await witness.publisher.publishMany(Single, numbers(4_000));
    const runs = await joined(process);
    proxy.delay(30);
    await waitFor(() => runs.values.length > 500, { what: 'a part to be handled' });
    await process.streams.stop(30_000);
    const handled = runs.values.length;
    expect(handled).toBeLessThan(4_000);
    expect(await bed.pending(Single, 'g')).toEqual([]);
    expect(await bed.state(witness, Single, 'g')).toMatchObject({ handled, fenced: 0, pending: 0 });
    const other = await joined(witness);
    await bed.drained(witness, Single, 'g');
    expect(ascending([...runs.values, ...other.values])).toEqual(upTo(4_000));
    expect(other.unusual).toEqual([]);
  });
});

describe('stopping while Redis refuses outcomes', () => {
  it('waits until Redis takes them', async () => {
    const process = await bed.start({ leaseMs: LEASE_MS });
    const witness = await bed.start({ leaseMs: LEASE_MS });
    const page = settledKey(bed.prefix, bed.place(Single, 'g'), 0);
    await bed.command('RPUSH', page, 'in the way');
    let refusals = 0;
    const stopListening = listen('loop-failed', ({ loop }) => void (refusals += loop === 'settle' ? 1 : 0));
    const runs = await joined(process);
    await witness.publisher.publishMany(Single, numbers(20));
    await waitFor(() => runs.values.length === 20, { what: 'all to be handled' });
    let isStopped = false;
    const stopping = process.streams.stop(30_000).then(() => (isStopped = true));
    // The last pauses between tries are longer than the rest of the stop.
    await waitFor(() => refusals >= 8, { what: 'Redis to have refused them again and again' });
    expect(isStopped).toBe(false);
    stopListening();
    await bed.command('DEL', page);
    await stopping;
    expect(await bed.state(witness, Single, 'g')).toMatchObject({ handled: 20, fenced: 0, pending: 0, lag: 0 });
  });
});

describe('batches', () => {
  it.each([
    { size: 100, concurrency: 2, messagesPerEntry: 1 },
    { size: 100, concurrency: 2, messagesPerEntry: 16 },
    { size: 7, concurrency: 1, messagesPerEntry: 16 },
    { size: 600, concurrency: 1, messagesPerEntry: 16 },
  ])('fill with $size messages, $concurrency at once, $messagesPerEntry messages an entry', async ({ size, concurrency, messagesPerEntry }) => {
    const process = await bed.start({ leaseMs: LEASE_MS, messagesPerEntry });
    const sizes: number[] = [];
    const topic = topicOf(Single);
    const handle = async (payloads: readonly unknown[]): Promise<void> => void sizes.push(payloads.length);
    const handler = batchPipeline({ topic, group: 'g', retry: noRetry, handle });
    await process.streams.subscribeBatch({ topic, group: 'g', concurrency, crashLimit: 10 }, { size, waitMs: 3_600_000 }, handler);
    await process.publisher.publishMany(Single, numbers(size * 8));
    await bed.drained(process, Single, 'g');
    expect(sizes).toEqual(Array.from({ length: 8 }, () => size));
  });
});
