import { describe, expect, it } from '@jest/globals';
import { type HalfMessage, topicOf } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { halfIndexKey, partitionKeys } from '../../src/keys.js';
import { placeOf } from '../../src/publish/partitioner.js';
import { Bed } from '../bed.js';
import { type Process, signal } from '../fixture.js';
import { Grown, upTo } from '../raise/grown.js';
import { check } from './checked.js';

const bed = new Bed('half-raise');
const NAME = 'test.grown';

/** A thing whose key moves from partition 0 of two to another one of four. */
const MOVING = upTo(100).find((thing) => placeOf(`thing-${thing}`, 2) === 0 && placeOf(`thing-${thing}`, 4) !== 0)!;
const STAYING = upTo(100).find((thing) => placeOf(`thing-${thing}`, 4) === 0)!;
const TARGET = placeOf(`thing-${MOVING}`, 4);

/** Steps that are in the log of a partition. */
async function stepsIn(partition: number): Promise<number[]> {
  const entries = (await bed.command('XRANGE', partitionKeys(bed.prefix, NAME, partition).log, '-', '+')) as [string, [string, string]][];
  return entries.flatMap(([, [, text]]) => (JSON.parse(text) as { step: number }[][]).map((message) => message[5]!.step));
}

async function all(): Promise<number[]> {
  return (await Promise.all(upTo(4).map(stepsIn))).flat();
}

async function raised(operator: Process, from = 2, to = 4): Promise<void> {
  await operator.streams.topics.raisePartitions(Grown, { from, to });
}

async function storedIn(operator: Process): Promise<number> {
  await operator.streams.declare(topicOf(Grown));
  return (await operator.streams.halves.state(Grown)).stored;
}

/** Makes a process vanish before, or after, its next call of a script. @returns when it has vanished */
function vanishing(process: Process, name: string, when: 'before' | 'after'): Promise<void> {
  const gone = signal();
  const { publish } = process.redis;
  const run = publish.run.bind(publish);
  const vanish = () => {
    process.vanish();
    gone.fire();
  };
  publish.run = async (script, ...args) => {
    if (script.name === name && when === 'before') vanish();
    const reply = await run(script, ...args);
    if (script.name === name) vanish();
    return reply;
  };
  return gone.promise;
}

/** Stops a process before its next call of a script, until it is let go. */
function holding(process: Process, name: string): { readonly reached: Promise<void>; readonly go: () => void } {
  const [reached, gone] = [signal(), signal()];
  const { publish } = process.redis;
  const run = publish.run.bind(publish);
  publish.run = async (script, ...args) => {
    if (script.name !== name) return run(script, ...args);
    publish.run = run;
    reached.fire();
    await gone.promise;
    return publish.run(script, ...args);
  };
  return { reached: reached.promise, go: gone.fire };
}

async function half(process: Process, thing = MOVING, options: object = {}): Promise<HalfMessage> {
  return process.publisher.publishHalf(Grown, { thing, step: 1 }, { deadline: '2s', ...options });
}

/** Makes all half messages of all partitions due. */
async function due(): Promise<void> {
  for (const partition of upTo(4)) {
    const { halvesDue } = partitionKeys(bed.prefix, NAME, partition);
    for (const id of (await bed.command('ZRANGE', halvesDue, 0, -1)) as string[]) await bed.command('ZADD', halvesDue, 1, id);
    await bed.command('HSET', halfIndexKey(bed.prefix, NAME), partition, '1 1');
  }
}

describe('a half message from before a raise', () => {
  it('is published where its key belongs by now', async () => {
    const [operator, process] = [await bed.start(), await bed.start()];
    const message = await half(process);
    await raised(operator);
    const result = await message.commit();
    expect(result).toEqual({ id: message.id, partition: TARGET, offset: 0, duplicate: false });
    expect(await message.commit()).toEqual(result);
    expect(await Promise.all([stepsIn(0), stepsIn(TARGET)])).toEqual([[], [1]]);
    expect(await storedIn(operator)).toBe(0);
  });

  it('is published where it is, when its key stays there', async () => {
    const [operator, process] = [await bed.start(), await bed.start()];
    const message = await half(process, STAYING);
    await raised(operator);
    expect(await message.commit()).toMatchObject({ partition: 0, offset: 0 });
    expect(await storedIn(operator)).toBe(0);
  });

  it('that was committed before it stays committed', async () => {
    const [operator, process] = [await bed.start(), await bed.start()];
    const message = await half(process);
    const result = await message.commit();
    await raised(operator);
    await process.streams.declare(topicOf(Grown));
    expect(await message.commit()).toEqual(result);
    expect(await all()).toEqual([1]);
  });

  it('is dropped by a rollback, without a way', async () => {
    const [operator, process] = [await bed.start(), await bed.start()];
    const message = await half(process);
    await raised(operator);
    await message.rollback();
    await expect(message.commit()).rejects.toMatchObject({ code: 'TRANSACTION_ENDED', ended: 'rolled-back' });
    expect(await storedIn(operator)).toBe(0);
  });

  it('uses its idempotency key there', async () => {
    const [operator, process] = [await bed.start(), await bed.start()];
    const message = await half(process, MOVING, { idempotencyKey: 'k' });
    await raised(operator);
    const result = await message.commit();
    expect(await message.commit()).toEqual(result);
    const again = await operator.publisher.publish(Grown, { thing: MOVING, step: 1 }, { idempotencyKey: 'k' });
    expect(again).toEqual({ ...result, duplicate: true });
  });

  it('whose idempotency key was used in its old partition is a duplicate', async () => {
    const [operator, process] = [await bed.start(), await bed.start()];
    const message = await half(process, MOVING, { idempotencyKey: 'k' });
    const first = await process.publisher.publish(Grown, { thing: MOVING, step: 1 }, { idempotencyKey: 'k' });
    await raised(operator);
    expect(await message.commit()).toMatchObject({ id: first.id, duplicate: true });
    expect(await all()).toEqual([1]);
    expect(await storedIn(operator)).toBe(0);
  });

  it('goes on after a second raise', async () => {
    const [operator, process] = [await bed.start(), await bed.start()];
    const thing = upTo(200).find((each) => new Set([2, 3, 4].map((count) => placeOf(`thing-${each}`, count))).size === 3)!;
    const message = await half(process, thing);
    await raised(operator, 2, 3);
    void vanishing(process, 'end-half.lua', 'before');
    await expect(message.commit()).rejects.toThrow();
    await raised(operator, 3, 4);
    const checker = await bed.start();
    await checker.streams.declare(topicOf(Grown));
    await due();
    await check(checker, Grown, () => 'commit');
    await waitFor(async () => (await checker.streams.halves.state(Grown)).stored === 0, { what: 'all half messages to end' });
    expect(await all()).toEqual([1]);
    expect(await stepsIn(placeOf(`thing-${thing}`, 4))).toEqual([1]);
  });

  it.each([
    ['before it is stored in the new partition', 'prepare-half.lua', 'before'],
    ['after it is stored in the new partition', 'prepare-half.lua', 'after'],
    ['before it leaves the old partition', 'end-half.lua', 'before'],
    ['after it left the old partition', 'end-half.lua', 'after'],
  ] as const)('whose publisher dies on the way, %s, is published once', async (_, script, when) => {
    const [operator, process] = [await bed.start(), await bed.start()];
    const message = await half(process);
    await raised(operator);
    void vanishing(process, script, when);
    await expect(message.commit()).rejects.toThrow();
    const checker = await bed.start();
    await checker.streams.declare(topicOf(Grown));
    await due();
    await check(checker, Grown, () => 'commit');
    await waitFor(async () => (await checker.streams.halves.state(Grown)).stored === 0, { what: 'all half messages to end' });
    expect([await stepsIn(0), await stepsIn(TARGET)]).toEqual([[], [1]]);
  });

  it('that was stored in the new partition, and rolled back in the old one, is published in neither', async () => {
    const [operator, process] = [await bed.start(), await bed.start()];
    const message = await half(process);
    await raised(operator);
    void vanishing(process, 'end-half.lua', 'before');
    await expect(message.commit()).rejects.toThrow();
    await operator.streams.halves.rollback(Grown, { id: message.id, partition: 0 });
    expect(await storedIn(operator)).toBe(1);
    const answers: string[] = [];
    await due();
    await check(operator, Grown, () => {
      answers.push('commit');
      return 'commit';
    });
    await waitFor(async () => (await operator.streams.halves.state(Grown)).stored === 0, { what: 'all half messages to end' });
    expect([answers, await all()]).toEqual([['commit'], []]);
  });
});

/** A half message in partition 0, and in the next one, as the first of two raises was broken off after it was stored there. */
describe('a half message between two raises that were broken off', () => {
  const thing = upTo(500).find((each) => [2, 3, 4].every((count, at) => placeOf(`thing-${each}`, count) === at))!;

  /** Two processes that are to commit it: one comes from the first partition, one from the second. */
  async function movers(): Promise<{ readonly fromFirst: Process; readonly fromSecond: Process; readonly id: string }> {
    const [operator, publisher] = [await bed.start(), await bed.start()];
    const message = await half(publisher, thing);
    await raised(operator, 2, 3);
    void vanishing(publisher, 'end-half.lua', 'before');
    await expect(message.commit()).rejects.toThrow();
    await raised(operator, 3, 4);
    const [fromFirst, fromSecond] = [await bed.start(), await bed.start()];
    for (const process of [fromFirst, fromSecond]) expect(await storedIn(process)).toBe(2);
    return { fromFirst, fromSecond, id: message.id };
  }

  const isPublishedOnce = async () => {
    expect([await all(), await stepsIn(2)]).toEqual([[1], [1]]);
    expect(await storedIn(await bed.start())).toBe(0);
  };

  it('is not lost when two move it: one stores it in the last partition, the other takes the first one from it', async () => {
    const { fromFirst, fromSecond, id } = await movers();
    const leaving = holding(fromFirst, 'end-half.lua');
    const one = fromFirst.streams.halves.commit(Grown, { id, partition: 0 });
    await Promise.race([leaving.reached, one]);
    const storing = holding(fromSecond, 'prepare-half.lua');
    const other = fromSecond.streams.halves.commit(Grown, { id, partition: 1 });
    await Promise.race([storing.reached, other]);
    leaving.go();
    const result = await one;
    storing.go();
    expect(result).toEqual({ id, partition: 2, offset: 0, duplicate: false });
    expect(await other).toEqual(result);
    await isPublishedOnce();
  });

  it.each([
    ['before it takes the first partition from it', 'end-half.lua', 'before'],
    ['after it has found that the other one did', 'end-half.lua', 'after'],
    ['before it publishes it in the last one', 'commit-half.lua', 'before'],
    ['after it has published it in the last one', 'commit-half.lua', 'after'],
  ] as const)('is not lost when one of two who move it dies, %s', async (_, script, when) => {
    const { fromFirst, fromSecond, id } = await movers();
    const leaving = holding(fromFirst, 'end-half.lua');
    const one = fromFirst.streams.halves.commit(Grown, { id, partition: 0 });
    one.catch(() => undefined);
    await Promise.race([leaving.reached, one]);
    const storing = holding(fromSecond, 'prepare-half.lua');
    const other = fromSecond.streams.halves.commit(Grown, { id, partition: 1 });
    await Promise.race([storing.reached, other]);
    const vanished = vanishing(fromFirst, script, when);
    leaving.go();
    await vanished;
    storing.go();
    expect(await other).toEqual({ id, partition: 2, offset: 0, duplicate: false });
    await isPublishedOnce();
  });
});
