import { describe, expect, it } from '@jest/globals';
import { type DeadLetterBounds, type DeadLetterHandler, deliveryPipeline, listen, type Subscription, topicOf } from '@millrace/core';
import { loadScript } from '@millrace/redis';
import { waitFor } from '@millrace/testing';
import { Bed } from './bed.js';
import { noRetry, type Process, signal } from './fixture.js';
import { numbers, Single } from './topics.js';

const bed = new Bed('bounds');
const topic = topicOf(Single);
const boundDeadLetters = loadScript('../src/scripts/bound-dead-letters.lua', import.meta.url);
const WIDE: DeadLetterBounds = { maxAgeMs: 1_000_000_000, maxMessages: 1_000_000, maxBytes: 1_000_000_000 };

/** A subscription that dead-letters every message. */
function failing(process: Process, bounds: Partial<DeadLetterBounds>, hook?: DeadLetterHandler): Promise<Subscription> {
  const definition = { topic, group: 'g', concurrency: 4, crashLimit: 10, deadLetters: { ...WIDE, ...bounds } };
  const handler = deliveryPipeline({ topic, group: 'g', retry: noRetry, handle: () => Promise.reject(new Error('no')) });
  return process.streams.subscribe({ ...definition, ...(hook && { deadLetterHandler: hook }) }, handler);
}

async function kept(process: Process): Promise<unknown[]> {
  return (await bed.deadLetters(process, Single, 'g')).map(({ payload }) => (payload as Single).value);
}

const counts = async (process: Process): Promise<number[]> => {
  const { deadLettered, deadLetters, deadLettersDropped, untold } = await bed.state(process, Single, 'g');
  return [deadLettered, deadLetters, deadLettersDropped, untold];
};

describe('dead letters beyond their bounds', () => {
  it.each([
    ['their number', { maxMessages: 10 }],
    ['their bytes', { maxBytes: 65_536 }],
  ])('are bounded by %s, the oldest go first, and are counted and reported', async (_, bounds) => {
    const process = await bed.start();
    let reported = 0;
    const stop = listen('dead-letters-dropped', ({ count }) => void (reported += count));
    const { dead } = bed.place(Single, 'g').groupKeys;
    await process.publisher.publishMany(Single, numbers(250));
    await failing(process, bounds);
    await waitFor(async () => (await bed.state(process, Single, 'g')).deadLettered === 250, { what: 'all to be given up' });
    const isWithin = async (): Promise<boolean> =>
      'maxMessages' in bounds ? (await bed.command('XLEN', dead)) === 10 : Number(await bed.command('MEMORY', 'USAGE', dead)) <= 65_536;
    await waitFor(isWithin, { what: 'the bound to hold' });
    const values = await kept(process);
    const newest = Array.from({ length: values.length }, (_each, index) => 250 - values.length + index);
    expect(values.toSorted((one, other) => Number(one) - Number(other))).toEqual(newest);
    expect([await counts(process), reported]).toEqual([[250, values.length, 250 - values.length, 0], 250 - values.length]);
    stop();
  });

  it('are bounded by their age', async () => {
    const process = await bed.start();
    await process.publisher.publish(Single, { value: 1 });
    const first = await failing(process, {});
    await waitFor(async () => (await kept(process)).length === 1, { what: 'it to be given up' });
    await first.stop(200);
    const { dead } = bed.place(Single, 'g').groupKeys;
    const [[id, fields]] = (await bed.command('XRANGE', dead, '-', '+')) as [[string, string[]]];
    await bed.command('DEL', dead);
    await bed.command('XADD', dead, `${Number(id.split('-')[0]) - 60_000}-0`, ...fields);
    await bed.command('XADD', dead, id, ...fields);
    await failing(process, { maxAgeMs: 30_000 });
    await waitFor(async () => (await kept(process)).length === 1, { what: 'the old one to go' });
    expect(await bed.deadLetters(process, Single, 'g')).toMatchObject([{ id: `0:${id}` }]);
  });

  it('stay until they were reported to their handler', async () => {
    const process = await bed.start();
    const gate = signal();
    await failing(process, {}, async () => {
      await gate.promise;
      return { kind: 'ack' };
    });
    await process.publisher.publishMany(Single, numbers(10));
    await waitFor(async () => (await counts(process))[0] === 10, { what: 'all to be given up' });
    const { dead, stats } = bed.place(Single, 'g').groupKeys;
    const bounded = (): Promise<unknown> => process.redis.control.run(boundDeadLetters, [dead, stats], [1_000_000_000, 2, 1_000_000_000, 100, '1']);
    const [[removed, untold]] = (await bounded()) as [[number, number]];
    expect([removed, untold, await counts(process)]).toEqual([0, 0, [10, 10, 0, 0]]);
    gate.fire();
    await waitFor(async () => ((await bounded()) as [[number]]) && (await counts(process))[1] === 2, { what: 'all but two to go' });
    expect(await counts(process)).toEqual([10, 2, 8, 0]);
  });

  it.each([
    ['too many', async (_: Process, open: () => Promise<unknown>): Promise<number> => {
      await open();
      return 8;
    }],
    ['discarded', async (process: Process): Promise<number> => (await process.streams.deadLetters.discard(Single, 'g', { all: true })).discarded],
    ['redriven', async (process: Process): Promise<number> => (await process.streams.deadLetters.redrive(Single, 'g', { all: true })).redriven],
  ] as const)('are counted when they are %s before anybody was told of them', async (_, remove) => {
    const process = await bed.start();
    const subscription = await failing(process, {}, () => new Promise(() => undefined));
    await process.publisher.publishMany(Single, numbers(10));
    await waitFor(async () => (await counts(process))[0] === 10, { what: 'all to be given up' });
    await subscription.stop(1);
    const count = await remove(process, () => failing(process, { maxMessages: 2 }));
    await waitFor(async () => (await counts(process))[3] === count, { what: `${count} to be counted` });
    expect((await counts(process))[1]).toBe(10 - count);
  });
});
