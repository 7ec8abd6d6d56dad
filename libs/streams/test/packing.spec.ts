import { describe, expect, it } from '@jest/globals';
import { deliveryPipeline, topicOf } from '@millrace/core';
import { createStreams } from '@millrace/streams';
import { waitFor } from '@millrace/testing';
import { spanOfId } from '../src/log/entry-id.js';
import { packingOf, packWhenSaturated } from '../src/publish/packing.js';
import { Bed } from './bed.js';
import { noRetry, type Process, signal, subscribe } from './fixture.js';
import { numbers, Single, Wide } from './topics.js';

const bed = new Bed('packing');

/** How many messages each entry of the log carries, in their order. */
async function sizes(): Promise<number[]> {
  const entries = (await bed.command('XRANGE', bed.place(Single, 'g').keys.log, '-', '+')) as [string, string[]][];
  return entries.map(([id]) => spanOfId(id)!.size);
}

/** Entries of four messages each. */
async function published(entries: number): Promise<Process> {
  const process = await bed.start({ messagesPerEntry: 4 });
  await process.publisher.publishMany(Single, numbers(entries * 4));
  return process;
}

const held = async (): Promise<number> => (await bed.pending(Single, 'g')).length;
const backInTheGroup = (): Promise<unknown> => bed.command('XLEN', bed.place(Single, 'g').groupKeys.again);

describe('a publisher', () => {
  it('stores messages that are published together as one entry a message', async () => {
    const process = await bed.start();
    await process.publisher.publishMany(Single, numbers(200));
    expect(await sizes()).toEqual(Array.from({ length: 200 }, () => 1));
  });

  it('packs entries while more is published than batch after batch can carry', async () => {
    const process = await bed.start();
    const results = await process.publisher.publishMany(Single, numbers(255));
    results.push(...(await process.publisher.publishMany(Single, numbers(745))));
    expect(results.map(({ offset }) => offset)).toEqual(numbers(1_000).map((_, offset) => offset));
    const found = await sizes();
    expect(found.reduce((sum, size) => sum + size)).toBe(1_000);
    expect(Math.max(...found.slice(0, 255))).toBe(1);
    expect(Math.max(...found)).toBe(16);
  });

  it.each([
    [1, true, 1], [16, true, 1], [17, true, 2], [160, true, 10], [256, true, 16], [255, false, 1], [256, false, 16],
  ])('packs a batch of %i, behind another batch: %s, in entries of %i', (messages, follows, size) => {
    expect(packWhenSaturated({ messages, follows })).toBe(size);
  });

  it.each([1, 16])('puts into each entry a configured number of messages: %i', (messagesPerEntry) => {
    expect(packingOf(messagesPerEntry)({ messages: 256, follows: false })).toBe(messagesPerEntry);
  });

  it.each([0, 17, -1, 1.5, Number.NaN, '4', null])('refuses to put %p into each entry', async (value) => {
    const { redis } = await bed.start();
    const create = (): unknown => createStreams({ redis, prefix: bed.prefix, leaseMs: 300, messagesPerEntry: value as number });
    expect(create).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS', message: expect.stringContaining('messagesPerEntry must be a whole number from 1 to 16') }));
  });
});

describe('a member', () => {
  it('takes entries of several messages only as it has slots for them', async () => {
    const process = await published(6);
    const release = signal();
    await subscribe(process, { topic: Single, group: 'g', concurrency: 8 }, () => release.promise);
    await waitFor(async () => (await held()) >= 2, { what: 'two entries to be held' });
    // One round more: the entry would have been read by now.
    await process.publisher.publish(Single, { value: 99 });
    expect(await held()).toBe(2);
    release.fire();
    await bed.drained(process, Single, 'g');
  });

  it('asks all streams at once when all were empty', async () => {
    const process = await bed.start({ leaseMs: 60_000 });
    await subscribe(process, { topic: Wide, group: 'g', concurrency: 32 }, async () => undefined);
    await process.publisher.publishMany(Wide, numbers(20));
    await bed.drained(process, Wide, 'g');
    const waiting = async (): Promise<string | undefined> =>
      /^id=(\d+) .* flags=\S*b\S* .*cmd=xreadgroup /m.exec(String(await bed.command('CLIENT', 'LIST')))?.[1];
    const reads = async (): Promise<number> =>
      Number(/cmdstat_xreadgroup:calls=(\d+)/.exec(String(await bed.command('INFO', 'commandstats')))?.[1]);
    const reader = await waitFor(waiting, { what: 'the member to wait for messages' });
    const before = await reads();
    await bed.command('CLIENT', 'UNBLOCK', reader);
    await waitFor(async () => (await reads()) > before && waiting(), { what: 'the member to wait again' });
    // Asking each of the 32 in turn would take as many calls.
    expect((await reads()) - before).toBeLessThan(16);
  });

  it('puts back the messages that wait for a slot, and others handle them as first attempts', async () => {
    const [busy, idle] = [await published(1), await bed.start()];
    const [begun, release] = [signal(), signal()];
    await subscribe(busy, { topic: Single, group: 'g', concurrency: 1 }, async () => {
      begun.fire();
      await release.promise;
    });
    await begun.promise;
    const attempts: number[] = [];
    await subscribe(idle, { topic: Single, group: 'g' }, async (_, { attempt }) => attempts.push(attempt));
    await waitFor(() => attempts.length === 3, { what: 'the idle member to handle three' });
    release.fire();
    await bed.drained(busy, Single, 'g');
    expect(attempts).toEqual([1, 1, 1]);
    expect(await bed.state(busy, Single, 'g')).toMatchObject({ handled: 4, lag: 0, deadLettered: 0 });
  });

  it('handles the messages that it put back before it takes more from the log', async () => {
    const process = await published(3);
    const release = signal();
    const handled: number[] = [];
    await subscribe(process, { topic: Single, group: 'g', concurrency: 1 }, async ({ value }: Single) => {
      await release.promise;
      handled.push(value);
    });
    await waitFor(async () => (await backInTheGroup()) === 3, { what: 'three to be given back' });
    release.fire();
    await bed.drained(process, Single, 'g');
    expect(handled.slice(0, 4).toSorted()).toEqual([0, 1, 2, 3]);
    expect(handled.toSorted((a, b) => a - b)).toEqual(numbers(12).map((_, value) => value));
  });

  it('handles the messages that it put back first, and then all other waiting ones in turn', async () => {
    const process = await bed.start({ messagesPerEntry: 4 });
    const release = signal();
    const handled: number[] = [];
    await process.publisher.publishMany(Wide, numbers(4).map(({ payload }) => ({ payload, key: 'one' })));
    await subscribe(process, { topic: Wide, group: 'g', concurrency: 1 }, async ({ value }: Wide) => {
      await release.promise;
      handled.push(value);
    });
    const agains = numbers(16).map((_, partition) => bed.place(Wide, 'g', partition).groupKeys.again);
    const lengths = (): Promise<number[]> => Promise.all(agains.map(async (key) => Number(await bed.command('XLEN', key))));
    await waitFor(async () => (await lengths()).includes(3), { what: 'three to be given back' });
    const again = agains[(await lengths()).indexOf(3)]!;
    const waiting = (value: number): string => JSON.stringify([value, 2, 0, 0, JSON.stringify([1, `id-${value}`, null, null, null, { value }])]);
    for (const [value] of numbers(100).entries()) await bed.command('XADD', again, '*', 'r', waiting(1_000 + value));
    await process.publisher.publishMany(Wide, numbers(16).map((_, value) => ({ payload: { value: 100 + value } })));
    release.fire();
    await waitFor(() => handled.length === 120, { what: 'all to be handled' });
    expect(handled.slice(0, 4).toSorted()).toEqual([0, 1, 2, 3]);
    // A round takes one message of each other stream.
    expect(handled.findIndex((value) => value >= 100 && value < 1_000)).toBeLessThan(10);
  });

  it('handles as many messages of an entry as the rate allows, and puts the others back', async () => {
    const process = await published(1);
    const topic = topicOf(Single);
    let handled = 0;
    const handler = deliveryPipeline({ topic, group: 'g', retry: noRetry, handle: async () => (handled += 1) });
    const rateLimit = { messages: 3, perMs: 3_600_000 };
    await process.streams.subscribe({ topic, group: 'g', concurrency: 16, crashLimit: 3, rateLimit }, handler);
    await waitFor(async () => (await backInTheGroup()) === 1 && (await held()) === 0, { what: 'one to be given back' });
    expect(handled).toBe(3);
    await process.stop();
    expect(await bed.state(await bed.start(), Single, 'g')).toMatchObject({ handled: 3, lag: 1 });
  });
});
