import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { fixed, listen, RetryLater } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { Bed } from './bed.js';
import { type Process, signal, subscribe } from './fixture.js';
import { numbers, Single } from './topics.js';

type Value = { value: number };

const bed = new Bed('loss');
let reported = 0;
let stopListening: () => void;

beforeEach(() => {
  reported = 0;
  stopListening = listen('lost', ({ count }) => void (reported += count));
});

afterEach(() => stopListening());

const idsOf = async (): Promise<string[]> =>
  ((await bed.command('XRANGE', bed.place(Single, 'g').keys.log, '-', '+')) as [string][]).map(([id]) => id);

/** A group whose handler is at work on its first message, with nine more that were not delivered. */
async function busyGroup(): Promise<{ process: Process; goOn: () => void; seen: number[] }> {
  const process = await bed.start();
  const hold = signal();
  const seen: number[] = [];
  await subscribe(process, { topic: Single, group: 'g', concurrency: 1 }, async ({ value }: Value) => {
    seen.push(value);
    await hold.promise;
  });
  await process.publisher.publishMany(Single, numbers(10));
  await waitFor(() => seen.length === 1, { what: 'the first to begin' });
  return { process, seen, goOn: () => hold.fire() };
}

describe('messages that other programs remove', () => {
  it.each<[string, (ids: string[]) => (string | number)[], number]>([
    ['the next ones', (ids) => ['XTRIM', 'MINID', ids[4]!], 3],
    ['some in the middle', (ids) => ['XDEL', ids[3]!, ids[4]!, ids[7]!], 3],
    ['the last ones', (ids) => ['XDEL', ids[8]!, ids[9]!], 2],
    ['all that were not delivered', (ids) => ['XDEL', ...ids.slice(1)], 9],
  ])('%s are counted once and reported, and the lag comes to 0', async (_, command, count) => {
    const { process, goOn, seen } = await busyGroup();
    const [name, ...args] = command(await idsOf());
    await bed.command(String(name), bed.place(Single, 'g').keys.log, ...args);
    goOn();
    await bed.drained(process, Single, 'g');
    expect(await bed.state(process, Single, 'g')).toMatchObject({ lost: count, handled: 10 - count });
    expect(seen).toHaveLength(10 - count);
    await waitFor(() => reported >= count, { what: 'the loss to be reported' });
    expect(reported).toBe(count);
  });

  it('retries whose text is gone while they wait, and only those', async () => {
    const process = await bed.start();
    const retry = { attempts: 2, backoff: fixed('1h'), deadLetterOn: [] };
    await subscribe(process, { topic: Single, group: 'g', retry }, async ({ value }: Value) => {
      if (value < 3) throw new Error('as planned');
    });
    await process.publisher.publishMany(Single, numbers(5));
    await waitFor(async () => (await bed.state(process, Single, 'g')).retrying === 3, { what: 'three to wait' });
    const { keys: { log }, groupKeys: { due, open } } = bed.place(Single, 'g');
    await bed.command('XDEL', log, (await idsOf())[0]!);
    await bed.command('ZADD', due, 0, '0'.repeat(16));
    await waitFor(async () => (await bed.state(process, Single, 'g')).lag === 2, { what: 'the lag to be right' });
    expect(await bed.state(process, Single, 'g')).toMatchObject({ lost: 1, retrying: 2 });
    expect(await bed.command('ZCARD', open)).toBe(2);
  });
});

describe('a message that is not lost is not counted as lost', () => {
  it('when the counters themselves are gone', async () => {
    const process = await bed.start();
    await subscribe(process, { topic: Single, group: 'g' }, async () => undefined);
    await process.publisher.publishMany(Single, numbers(10));
    await bed.drained(process, Single, 'g');
    await bed.command('DEL', bed.place(Single, 'g').groupKeys.stats);
    // Settlements before the next audit make counters that are too small.
    await process.publisher.publishMany(Single, numbers(10));
    await waitFor(async () => (await bed.state(process, Single, 'g')).lag === 0, { what: 'the lag to be right again' });
    expect(await bed.state(process, Single, 'g')).toMatchObject({ lost: 0 });
  });

  it('when the start of the group is gone', async () => {
    const [process, late] = [await bed.start(), await bed.start()];
    await process.publisher.publishMany(Single, numbers(10));
    await subscribe(process, { topic: Single, group: 'g', start: 'latest' }, async () => undefined);
    await process.publisher.publishMany(Single, numbers(10));
    await bed.drained(process, Single, 'g');
    await bed.command('DEL', bed.place(Single, 'g').keys.groups);
    await subscribe(late, { topic: Single, group: 'g', start: 'latest' }, async () => undefined);
    await bed.drained(process, Single, 'g');
    expect(await bed.state(process, Single, 'g')).toMatchObject({ lost: 0 });
  });

  it.each(['open', 'due'] as const)('when only %s is gone, one of the two keys of waiting messages: the retries are handled, and the lag comes to 0', async (name) => {
    const process = await bed.start();
    const handled: number[] = [];
    let isIll = true;
    const retry = { attempts: 3, backoff: fixed('1ms'), deadLetterOn: [] };
    await subscribe(process, { topic: Single, group: 'g', retry }, async ({ value }: Value) => {
      if (isIll) throw new RetryLater('1h');
      handled.push(value);
    });
    await process.publisher.publishMany(Single, numbers(5));
    await waitFor(async () => (await bed.state(process, Single, 'g')).retrying === 5, { what: 'five to wait' });
    isIll = false;
    const { [name]: key, due } = bed.place(Single, 'g').groupKeys;
    await bed.command('DEL', key);
    await waitFor(async () => (await bed.command('EXISTS', key)) === 1 || handled.length > 0, { what: 'it to be made again' });
    for (const member of (await bed.command('ZRANGE', due, 0, -1)) as string[]) await bed.command('ZADD', due, 'XX', 0, member);
    await waitFor(() => handled.length === 5, { what: 'the retries' });
    await bed.drained(process, Single, 'g');
    expect(await bed.state(process, Single, 'g')).toMatchObject({ lost: 0 });
  });
});
