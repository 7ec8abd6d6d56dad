import { describe, expect, it, jest } from '@jest/globals';
import { type Position } from '@millrace/core';
import { loadScript } from '@millrace/redis';
import { waitFor } from '@millrace/testing';
import { Bed } from './bed.js';
import { type Process, signal, subscribe } from './fixture.js';
import { numbers, Single } from './topics.js';

type Value = { value: number };

const declareGroup = loadScript('../src/scripts/declare-group.lua', import.meta.url);
const bed = new Bed('offsets');

/** Publishes 0 to 9, with a moment of Redis's clock between 4 and 5. */
async function published(process: Process): Promise<Date> {
  await process.publisher.publishMany(Single, numbers(5));
  const [[last]] = (await bed.command('XREVRANGE', bed.place(Single, 'g').keys.log, '+', '-', 'COUNT', 1)) as [[string]];
  const between = new Date(Number(last.split('-')[0]) + 1);
  const time = async (): Promise<number> => Number(((await bed.command('TIME')) as string[]).join('').slice(0, 13));
  await waitFor(async () => (await time()) >= between.getTime(), { what: 'the clock to go on' });
  await process.publisher.publishMany(Single, numbers(10).slice(5));
  return between;
}

describe('where a new group begins', () => {
  const positions: [string, (between: Date) => Position, number][] = [
    ['the earliest', () => 'earliest', 0],
    ['the latest', () => 'latest', 10],
    ['a moment', (between) => between, 5],
    ['a moment before all', () => new Date(0), 0],
    ['a moment after all', () => new Date(Date.now() + 3_600_000), 10],
    ['an offset', () => ({ offset: 7 }), 7],
    ['the first offset', () => ({ offset: 0 }), 0],
    ['an offset to come', () => ({ offset: 99 }), 10],
  ];

  it.each(positions)('%s', async (_, position, first) => {
    const process = await bed.start();
    const between = await published(process);
    const seen: number[] = [];
    await subscribe(process, { topic: Single, group: 'g', start: position(between) }, async ({ value }: Value) => void seen.push(value));
    expect((await bed.state(process, Single, 'g')).lag).toBeLessThanOrEqual(10 - first);
    await process.publisher.publish(Single, { value: 10 });
    await bed.drained(process, Single, 'g');
    expect(seen.sort((a, b) => a - b)).toEqual(numbers(11).map(({ payload }) => payload.value).slice(first));
    expect(await bed.state(process, Single, 'g')).toMatchObject({ lag: 0, lagSeconds: 0 });
  });

  it('an offset inside an entry of several messages, and a deleted offset', async () => {
    const process = await bed.start({ messagesPerEntry: 4 });
    await process.publisher.publishMany(Single, numbers(12));
    const { log } = bed.place(Single, 'g').keys;
    const ids = ((await bed.command('XRANGE', log, '-', '+')) as [string][]).map(([id]) => id);
    await bed.command('XDEL', log, ids[1]!);
    const seen: number[] = [];
    await subscribe(process, { topic: Single, group: 'g', start: { offset: 5 } }, async ({ value }: Value) => void seen.push(value));
    await bed.drained(process, Single, 'g');
    expect(seen.sort((a, b) => a - b)).toEqual([8, 9, 10, 11]);
  });

  it('at the whole entry in which the position lies, and a lag that counts all of it', async () => {
    const process = await bed.start({ messagesPerEntry: 4 });
    await process.publisher.publishMany(Single, numbers(12));
    const seen: number[] = [];
    await subscribe(process, { topic: Single, group: 'g', start: { offset: 5 } }, async ({ value }: Value) => void seen.push(value));
    await waitFor(() => seen.includes(11), { what: 'the last' });
    await bed.drained(process, Single, 'g');
    expect(Math.min(...seen)).toBeLessThanOrEqual(5);
    expect(await bed.state(process, Single, 'g')).toMatchObject({ lag: 0, lost: 0, handled: seen.length });
  });

  it('does not wait for messages that are removed between the look at the log and the beginning', async () => {
    const process = await bed.start();
    await process.publisher.publishMany(Single, numbers(10));
    const { log } = bed.place(Single, 'g').keys;
    const { control } = process.redis;
    const run = control.run.bind(control);
    jest.spyOn(control, 'run').mockImplementation(async (script, keys, args) => {
      if (script.source === declareGroup.source) await bed.command('XTRIM', log, 'MAXLEN', 4);
      return run(script, keys, args);
    });
    await subscribe(process, { topic: Single, group: 'g', start: { offset: 1 } }, async () => undefined);
    await bed.drained(process, Single, 'g');
    expect(await bed.state(process, Single, 'g')).toMatchObject({ handled: 4, lost: 0 });
  });

  it('does not count messages that were trimmed before it began', async () => {
    const process = await bed.start();
    await process.publisher.publishMany(Single, numbers(10));
    await bed.command('XTRIM', bed.place(Single, 'g').keys.log, 'MAXLEN', 4);
    const done = signal();
    await subscribe(process, { topic: Single, group: 'g' }, async () => done.promise);
    await waitFor(async () => (await bed.state(process, Single, 'g')).pending === 4, { what: 'all to be in hand' });
    expect((await bed.state(process, Single, 'g')).lag).toBe(4);
    done.fire();
    await bed.drained(process, Single, 'g');
  });

  it('means nothing to a group that exists', async () => {
    const process = await bed.start();
    await process.publisher.publishMany(Single, numbers(3));
    const first = await subscribe(process, { topic: Single, group: 'g' }, async () => undefined);
    await bed.drained(process, Single, 'g');
    await first.stop(1_000);
    await process.publisher.publish(Single, { value: 3 });
    const other = await bed.start();
    const seen: number[] = [];
    await subscribe(other, { topic: Single, group: 'g', start: 'latest' }, async ({ value }: Value) => void seen.push(value));
    await bed.drained(other, Single, 'g');
    expect(seen).toEqual([3]);
  });
});

describe('lag in seconds', () => {
  it('is the age of the oldest message that is not done: undelivered, in hand, or waiting for a retry', async () => {
    const process = await bed.start();
    const { keys } = bed.place(Single, 'g');
    const hold = signal();
    const retry = { attempts: 2, backoff: { kind: 'fixed', delayMs: 1, maxMs: 1, jitter: false } as const, deadLetterOn: [] };
    await process.publisher.publishMany(Single, numbers(2));
    const [[id]] = (await bed.command('XRANGE', keys.log, '-', '+', 'COUNT', 1)) as [[string]];
    const ageOf = async (): Promise<number> => Number(((await bed.command('TIME')) as string[])[0]) - Number(id.split('-')[0]) / 1_000;
    let failed = false;
    await subscribe(process, { topic: Single, group: 'g', concurrency: 1, retry }, async ({ value }: Value, { attempt }) => {
      if (value === 0 && attempt === 1) {
        failed = true;
        throw new Error('as planned');
      }
      await hold.promise;
    });
    await waitFor(() => failed, { what: 'the first to fail' });
    // By then the second message is held, and the first, which is older, waits or is held again.
    await waitFor(async () => (await ageOf()) > 1, { what: 'a second to pass' });
    const { lag, lagSeconds } = await bed.state(process, Single, 'g');
    expect(lag).toBe(2);
    expect(lagSeconds).toBeGreaterThan(1);
    hold.fire();
    await bed.drained(process, Single, 'g');
    expect((await bed.state(process, Single, 'g')).lagSeconds).toBe(0);
    expect(await bed.command('ZCARD', bed.place(Single, 'g').groupKeys.open)).toBe(0);
  });
});
