import { describe, expect, it } from '@jest/globals';
import { deliveryPipeline, listen, topicOf } from '@millrace/core';
import { loadScript } from '@millrace/redis';
import { waitFor } from '@millrace/testing';
import { rateKey } from '../src/keys.js';
import { Bed } from './bed.js';
import { noRetry, type Process } from './fixture.js';
import { numbers, Single } from './topics.js';

const bed = new Bed('rate');
const takePermits = loadScript('../src/scripts/take-permits.lua', import.meta.url);
const topic = topicOf(Single);
const HOUR_MS = 3_600_000;

const key = (): string => rateKey(bed.prefix, topic.name, 'g');

function subscribe(process: Process, handle: () => void): Promise<unknown> {
  const handler = deliveryPipeline({ topic, group: 'g', retry: noRetry, handle: async () => handle() });
  return process.streams.subscribe({ topic, group: 'g', concurrency: 16, crashLimit: 3, rateLimit: { messages: 3, perMs: HOUR_MS } }, handler);
}

describe('permits', () => {
  it('are one period\'s number at once; returned permits can be taken again', async () => {
    const { redis } = await bed.start();
    const take = async (wanted: number): Promise<unknown> => redis.control.run(takePermits, [key()], [5, HOUR_MS, wanted]);
    expect(await take(3)).toEqual([3, 0]);
    expect(await take(3)).toEqual([2, 0]);
    const [granted, waitMs] = (await take(1)) as [number, number];
    expect(granted).toBe(0);
    expect(waitMs).toBeGreaterThan(0);
    expect(waitMs).toBeLessThanOrEqual(HOUR_MS / 5);
    await take(-2);
    expect(await take(9)).toEqual([2, 0]);
    await take(-5);
    expect(await bed.command('EXISTS', key())).toBe(0);
    expect(await take(9)).toEqual([5, 0]);
  });

  it('come back one by one, and all of them when the clock was set back', async () => {
    const { redis } = await bed.start();
    const take = async (wanted: number): Promise<unknown> => redis.control.run(takePermits, [key()], [4, HOUR_MS, wanted]);
    await bed.command('SET', key(), Date.now() + HOUR_MS / 4);
    expect(await take(9)).toEqual([3, 0]);
    await bed.command('SET', key(), Date.now() + 1_000 * HOUR_MS);
    const [granted, waitMs] = (await take(1)) as [number, number];
    expect(granted).toBe(0);
    expect(waitMs).toBeLessThanOrEqual(HOUR_MS / 4);
  });
});

describe('a rate limit', () => {
  it('holds for a group over all its processes', async () => {
    const [first, second] = [await bed.start(), await bed.start()];
    let handled = 0;
    await first.publisher.publishMany(Single, numbers(8));
    for (const process of [first, second]) await subscribe(process, () => (handled += 1));
    for (const expected of [3, 6, 8]) {
      await waitFor(() => handled === expected, { what: `${expected} to be handled` });
      // No member takes more messages until there are permits again.
      await waitFor(async () => (await bed.state(first, Single, 'g')).pending === 0, { what: 'nothing to be in hand' });
      expect(await bed.state(first, Single, 'g')).toMatchObject({ handled: expected, lag: 8 - expected });
      await bed.command('DEL', key());
    }
  });

  it('lets nothing through while Redis does not answer, and goes on when it does', async () => {
    const process = await bed.start();
    await process.publisher.publish(Single, { value: 1 });
    await bed.command('HSET', key(), 'not', 'a number');
    let failures = 0;
    const stop = listen('loop-failed', ({ loop }) => (failures += loop === 'fetch' ? 1 : 0));
    let handled = 0;
    await subscribe(process, () => (handled += 1));
    await waitFor(() => failures >= 2, { what: 'the fetcher to fail' });
    stop();
    expect(handled).toBe(0);
    await bed.command('DEL', key());
    await waitFor(() => handled === 1, { what: 'it to go on' });
  });
});
