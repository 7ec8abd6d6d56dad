import { describe, expect, it } from '@jest/globals';
import { BatchContext, batchPipeline, type BatchRule, fixed, topicOf } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { Bed } from './bed.js';
import { noRetry, type Process, signal } from './fixture.js';
import { numbers, Single } from './topics.js';

const bed = new Bed('batch');

type Handle = (payloads: Single[], context: BatchContext) => Promise<unknown>;
interface Target extends BatchRule {
  readonly concurrency?: number;
  readonly crashLimit?: number;
}

function subscribe(process: Process, target: Target, handle: Handle): Promise<unknown> {
  const { size, waitMs, concurrency = 1, crashLimit = 10 } = target;
  const topic = topicOf(Single);
  const retry = { ...noRetry, attempts: 2, backoff: fixed('1ms') };
  const handler = batchPipeline({ topic, group: 'g', retry, handle: handle as never });
  return process.streams.subscribeBatch({ topic, group: 'g', concurrency, crashLimit }, { size, waitMs }, handler);
}

const valuesOf = (payloads: Single[]): number[] => payloads.map(({ value }) => value);
const forEver = 3_600_000;

describe('a batch is handed over', () => {
  it('as soon as it is full, and never larger', async () => {
    const process = await bed.start();
    await process.publisher.publishMany(Single, numbers(20));
    const batches: number[][] = [];
    await subscribe(process, { size: 10, waitMs: forEver }, async (payloads) => void batches.push(valuesOf(payloads)));
    await bed.drained(process, Single, 'g');
    expect(batches.map(({ length }) => length)).toEqual([10, 10]);
    expect(batches.flat().sort((a, b) => a - b)).toEqual(numbers(20).map(({ payload }) => payload.value));
    expect(await bed.state(process, Single, 'g')).toMatchObject({ handled: 20, deadLettered: 0 });
  });

  it('when its first message has waited long enough, though it is not full', async () => {
    // With a long lease no other event can start the batch.
    const process = await bed.start({ leaseMs: 60_000 });
    await process.publisher.publishMany(Single, numbers(3));
    const batches: number[][] = [];
    await subscribe(process, { size: 1_000, waitMs: 30 }, async (payloads) => void batches.push(valuesOf(payloads)));
    await bed.drained(process, Single, 'g');
    expect(batches.flat().sort()).toEqual([0, 1, 2]);
  });

  it('as many at once as there are slots, with no more messages in hand than they hold', async () => {
    const process = await bed.start();
    await process.publisher.publishMany(Single, numbers(60));
    const gate = signal();
    let running = 0;
    await subscribe(process, { size: 5, waitMs: forEver, concurrency: 2 }, async () => {
      running += 1;
      await gate.promise;
    });
    await waitFor(() => running === 2, { what: 'two batches' });
    expect((await bed.state(process, Single, 'g')).pending).toBe(10);
    gate.fire();
    await bed.drained(process, Single, 'g');
    expect(running).toBe(12);
  });
});

describe('a message of a batch', () => {
  it('is settled on its own: the failed one alone is retried, and dead-lettered', async () => {
    const process = await bed.start();
    await process.publisher.publishMany(Single, numbers(5));
    const seen: string[] = [];
    await subscribe(process, { size: 5, waitMs: 20 }, async (payloads, context) => {
      payloads.forEach(({ value }, index) => {
        seen.push(`${value} ${context.items[index]!.attempt}`);
        if (value === 3) context.fail(index, new Error('no three'));
      });
    });
    await bed.drained(process, Single, 'g');
    expect(seen.sort()).toEqual(['0 1', '1 1', '2 1', '3 1', '3 2', '4 1']);
    expect(await bed.state(process, Single, 'g')).toMatchObject({ handled: 4, retried: 1, deadLettered: 1 });
    expect(await bed.deadLetters(process, Single, 'g')).toMatchObject([{ reason: 'ATTEMPTS_EXHAUSTED', attempts: 2, error: { message: 'no three' } }]);
  });

  it('that is malformed never reaches the handler, and does not count for the size', async () => {
    const process = await bed.start();
    await process.streams.declare(topicOf(Single));
    await bed.command('XADD', bed.place(Single, 'g').keys.log, '*', 'foreign', 'field');
    await process.publisher.publishMany(Single, numbers(2));
    const batches: number[][] = [];
    await subscribe(process, { size: 2, waitMs: forEver }, async (payloads) => void batches.push(valuesOf(payloads)));
    await bed.drained(process, Single, 'g');
    expect(batches.map((batch) => batch.sort())).toEqual([[0, 1]]);
    expect((await bed.deadLetters(process, Single, 'g')).map(({ reason }) => reason)).toEqual(['MALFORMED_ENVELOPE']);
  });

  it('whose process vanished comes back in a batch of its own, so that its neighbours do not share its fate', async () => {
    const publisher = await bed.start();
    await publisher.publisher.publishMany(Single, numbers(4));
    for (let crash = 0; crash < 3; crash += 1) {
      const doomed = await bed.start();
      const begun = signal();
      await subscribe(doomed, { size: 4, waitMs: 50, crashLimit: 3 }, async (payloads) => {
        if (!valuesOf(payloads).includes(2)) return;
        begun.fire();
        await new Promise(() => undefined);
      });
      await begun.promise;
      doomed.vanish();
    }
    const last = await bed.start();
    const batches: number[][] = [];
    await subscribe(last, { size: 4, waitMs: 50, crashLimit: 3 }, async (payloads) => void batches.push(valuesOf(payloads)));
    await bed.drained(last, Single, 'g');
    expect(await bed.deadLetters(last, Single, 'g')).toMatchObject([{ reason: 'CRASH_LOOP', crashes: 3, envelope: expect.stringContaining('{"value":2}') }]);
    expect((await bed.state(last, Single, 'g')).handled).toBe(3);
    expect(batches.filter(({ length }) => length !== 1)).toEqual([]);
  });

  it('that waits at a stop is put back without counting an attempt', async () => {
    const process = await bed.start();
    await process.publisher.publishMany(Single, numbers(3));
    await subscribe(process, { size: 10, waitMs: forEver }, async () => undefined);
    await waitFor(async () => (await bed.state(process, Single, 'g')).pending === 3, { what: 'three to wait' });
    await process.stop();
    const next = await bed.start();
    const items: unknown[] = [];
    await subscribe(next, { size: 3, waitMs: forEver }, async (_, context) => void items.push(...context.items));
    await bed.drained(next, Single, 'g');
    expect(items).toMatchObject(Array.from({ length: 3 }, () => ({ attempt: 1, crashes: 0, redelivered: false })));
  });
});

describe('a handler that breaks the contract', () => {
  it.each([
    ['throws', () => Promise.reject(new Error('defect')), 2],
    ['has too few outcomes', () => Promise.resolve([{ kind: 'ack' } as const]), 1],
  ])('and %s loses no message', async (_, handler, dead) => {
    const process = await bed.start();
    await process.publisher.publishMany(Single, numbers(2));
    await process.streams.subscribeBatch({ topic: topicOf(Single), group: 'g', concurrency: 1, crashLimit: 3 }, { size: 2, waitMs: forEver }, handler);
    await bed.drained(process, Single, 'g');
    expect((await bed.deadLetters(process, Single, 'g')).map(({ reason }) => reason)).toEqual(Array.from({ length: dead }, () => 'HANDLER_DEFECT'));
  });
});
