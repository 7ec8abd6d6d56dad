import { describe, expect, it } from '@jest/globals';
import { fixed, Topic } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { IsInt } from 'class-validator';
import { Bed } from '../bed.js';
import { type Process, signal, subscribe } from '../fixture.js';
import { Step, stepsOf } from './keyed.js';
import { Tape } from './tape.js';

const bed = new Bed('attack');

/** Steps in one partition. */
@Topic<Lone>('test.lone', { key: ({ thing }) => `thing-${thing}` })
class Lone {
  @IsInt() thing!: number;
  @IsInt() step!: number;
}

const PARK = { by: 'key', onExhausted: 'park' } as const;
const THREE_TIMES = { attempts: 3, backoff: fixed('1ms'), deadLetterOn: [] };
const step = (thing: number, number: number): Step => ({ thing, step: number });
const parked = (process: Process): ReturnType<Process['streams']['orders']['parked']> => process.streams.orders.parked(Step, 'g');

function partsParked(process: Process, messages: number): Promise<unknown> {
  return waitFor(async () => (await parked(process))[0]?.messages === messages, { what: `${messages} messages to be put aside` });
}

describe('a partition goes on at once', () => {
  it('when a handler throws whose partition was taken away and came back meanwhile', async () => {
    const [process, tape, began, end] = [await bed.start(), new Tape(), signal(), signal()];
    await subscribe(process, { topic: Lone, group: 'g', ordering: { by: 'key' } }, async (given: Lone) => {
      tape.add(given);
      if (tape.count > 1) return;
      began.fire();
      await end.promise;
      throw new Error('too late');
    });
    await process.publisher.publish(Lone, step(0, 0));
    await began.promise;
    await bed.command('HDEL', bed.place(Lone, 'g').groupKeys.control, 'owner');
    await process.publisher.publish(Lone, step(0, 1));
    // A later message of another key shows that the next owner has read both.
    await process.publisher.publish(Lone, step(1, 0));
    await waitFor(() => tape.of(1).length > 0, { what: 'a message of another key' });
    end.fire();
    await waitFor(() => tape.of(0).includes(1), { what: 'the message behind it' });
  });
});

it('a partition that stops begins no message of another key any more', async () => {
  const [process, tape] = [await bed.start({ messagesPerEntry: 4 }), new Tape()];
  const target = { topic: Lone, group: 'g', ordering: { by: 'key', onExhausted: 'stop' }, concurrency: 1 } as const;
  await process.publisher.publishMany(Lone, [0, 1, 2].map((thing) => ({ payload: step(thing, 0) })));
  await subscribe(process, target, async (given: Step) => {
    tape.add(given);
    if (given.thing === 0) throw new Error('It cannot be done.');
  });
  await waitFor(async () => (await process.streams.orders.stopped(Lone, 'g')).length === 1, { what: 'the partition to stop' });
  expect([0, 1, 2].map((thing) => tape.of(thing))).toEqual([[0], [], []]);
  await process.streams.orders.goOn(Lone, 'g', { partition: 0, message: 'dead-letter' });
  await bed.drained(process, Lone, 'g');
  expect([0, 1, 2].map((thing) => tape.of(thing))).toEqual([[0], [0], [0]]);
});

describe('a key that was put aside', () => {
  it('says why it waits again, when another message fails after the release', async () => {
    const [process, tape] = [await bed.start(), new Tape()];
    let fails = ({ step: number }: Step): boolean => number >= 0;
    await subscribe(process, { topic: Step, group: 'g', ordering: PARK }, async (given: Step) => {
      tape.add(given);
      if (fails(given)) throw new Error(`step ${given.step} failed`);
    });
    await process.publisher.publishMany(Step, stepsOf(1, 3));
    await partsParked(process, 3);
    fails = ({ step: number }) => number === 1;
    await process.streams.orders.release(Step, 'g', { key: 'thing-0' });
    const again = async (): Promise<boolean> => (await parked(process))[0]?.state === 'parked' && (await parked(process))[0]?.messages === 2;
    await waitFor(again, { what: 'two messages to be put aside again' });
    expect((await parked(process))[0]).toMatchObject({ reason: 'ATTEMPTS_EXHAUSTED', error: { message: 'step 1 failed' } });
  });

  it('has all attempts again after each release, and leaves no records of them', async () => {
    const [process, attempts] = [await bed.start(), [] as number[]];
    let isBroken = true;
    await subscribe(process, { topic: Step, group: 'g', ordering: PARK, retry: THREE_TIMES }, async (_: Step, { attempt }) => {
      attempts.push(attempt);
      if (isBroken) throw new Error('no');
    });
    const { partition } = await process.publisher.publish(Step, step(0, 0));
    await partsParked(process, 1);
    const { control } = bed.place(Step, 'g', partition).groupKeys;
    await process.streams.orders.release(Step, 'g', { key: 'thing-0' });
    const isParked = async (): Promise<boolean> => attempts.length >= 6 && (await parked(process))[0]?.state === 'parked';
    await waitFor(isParked, { what: 'the key to be put aside again' });
    await process.streams.orders.release(Step, 'g', { key: 'thing-0' });
    await waitFor(() => attempts.length >= 7, { what: 'an attempt after the second release' });
    expect(attempts[6]).toBe(1);
    isBroken = false;
    await waitFor(async () => (await parked(process)).length === 0 || (await parked(process))[0]?.state === 'parked', { what: 'an end' });
    const fields = (await bed.command('HKEYS', control)) as string[];
    expect(fields.filter((field) => field.startsWith('tried:'))).toEqual([]);
  });

  it('still says why when its message is read again, as after a crash between two calls', async () => {
    const process = await bed.start();
    const subscription = await subscribe(process, { topic: Step, group: 'g', ordering: PARK }, async () => {
      throw new Error('no');
    });
    const { partition } = await process.publisher.publish(Step, step(0, 0));
    await partsParked(process, 1);
    await subscription.pause();
    // So a process leaves it that vanishes between the two calls: the message is put aside, and not settled.
    await bed.drained(process, Step, 'g');
    const place = bed.place(Step, 'g', partition);
    const [[id]] = (await bed.command('XRANGE', place.keys.log, '-', '+')) as [[string]];
    await bed.command('XCLAIM', place.keys.log, 'g', '~owner', 0, id, 'FORCE', 'JUSTID');
    const [bitmap] = (await bed.command('KEYS', `${bed.prefix}*settled*`)) as [string];
    await bed.command('DEL', bitmap);
    subscription.resume();
    await waitFor(async () => (await bed.pending(Step, 'g')).length === 0, { what: 'it to be settled' });
    expect((await parked(process))[0]).toMatchObject({ messages: 1, reason: 'ATTEMPTS_EXHAUSTED', error: { message: 'no' } });
  });

  it('does not stop the partition when it fails in a release, though the group stops by now', async () => {
    const [first, second] = [await bed.start(), await bed.start()];
    const fail = async (): Promise<void> => {
      throw new Error('no');
    };
    await subscribe(first, { topic: Step, group: 'g', ordering: PARK }, fail);
    await first.publisher.publish(Step, step(0, 0));
    await partsParked(first, 1);
    await first.streams.stop(1_000);
    let attempts = 0;
    await subscribe(second, { topic: Step, group: 'g', ordering: { by: 'key', onExhausted: 'stop' } }, async () => {
      attempts += 1;
      return fail();
    });
    await second.streams.orders.release(Step, 'g', { key: 'thing-0' });
    await waitFor(() => attempts > 0, { what: 'an attempt' });
    await waitFor(async () => (await parked(second))[0]?.state === 'parked', { what: 'the key to wait again' });
    expect(await second.streams.orders.stopped(Step, 'g')).toEqual([]);
  });

  it('is told from one whose name begins with it and a NUL', async () => {
    const [process, handled] = [await bed.start(), [] as (string | null)[]];
    let isBroken = true;
    await subscribe(process, { topic: Lone, group: 'g', ordering: PARK }, async (_: Lone, { key }) => {
      if (isBroken) throw new Error('no');
      handled.push(key);
    });
    const keys = ['a', 'a\0b', 'a\x01', 'a\x000000000000000009'];
    for (const key of keys) await process.publisher.publish(Lone, step(0, 0), { key });
    const all = (): ReturnType<typeof process.streams.orders.parked> => process.streams.orders.parked(Lone, 'g');
    await waitFor(async () => (await all()).length === 4, { what: 'four keys' });
    expect((await all()).map(({ messages }) => messages)).toEqual([1, 1, 1, 1]);
    isBroken = false;
    await process.streams.orders.release(Lone, 'g', { key: 'a' });
    await waitFor(async () => (await all()).length === 3, { what: 'a key to be as any other' });
    expect(handled).toEqual(['a']);
  });
});

it('a pause ends when a message is put aside whose handler failed before it', async () => {
  const [process, parking, held] = [await bed.start(), signal(), signal()];
  const { publish } = process.redis;
  const run = publish.run.bind(publish);
  publish.run = async (script, ...args) => {
    if (script.name === 'park.lua') {
      parking.fire();
      await held.promise;
    }
    return run(script, ...args);
  };
  const subscription = await subscribe(process, { topic: Step, group: 'g', ordering: PARK }, async () => {
    throw new Error('no');
  });
  await process.publisher.publish(Step, step(0, 0));
  await parking.promise;
  let isPaused = false;
  const pausing = subscription.pause().then(() => (isPaused = true));
  for (let calls = 0; calls < 20; calls += 1) await bed.command('PING');
  expect(isPaused).toBe(false);
  held.fire();
  await pausing;
  expect([(await parked(process))[0]?.messages, (await bed.state(process, Step, 'g')).pending]).toEqual([1, 0]);
});

it('a message that was published after a crash counts none of it, also when it is read again', async () => {
  const [first, second, stuck, stuckAgain, end] = [await bed.start(), await bed.start(), signal(), signal(), signal()];
  await subscribe(first, { topic: Lone, group: 'g', ordering: { by: 'key' } }, async () => {
    stuck.fire();
    await new Promise(() => undefined);
  });
  await first.publisher.publish(Lone, step(0, 0));
  await stuck.promise;
  first.vanish();
  const crashes = new Map<number, number>();
  const target = { topic: Lone, group: 'g', ordering: { by: 'key' }, concurrency: 3 } as const;
  const subscription = await subscribe(second, target, async (given: Lone, context) => {
    crashes.set(given.step, context.crashes);
    if (given.step !== 1) return;
    stuckAgain.fire();
    await end.promise;
  });
  await waitFor(() => crashes.has(0), { what: 'the first message' });
  await bed.drained(second, Lone, 'g');
  await second.publisher.publish(Lone, step(1, 1));
  await stuckAgain.promise;
  for (const number of [2, 3]) await second.publisher.publish(Lone, step(1, number));
  await waitFor(async () => (await bed.pending(Lone, 'g')).length === 3, { what: 'the owner to have read all' });
  const pausing = subscription.pause();
  end.fire();
  await pausing;
  subscription.resume();
  await waitFor(() => crashes.size === 4, { what: 'all messages' });
  expect([...crashes]).toEqual([[0, 1], [1, 0], [2, 0], [3, 0]]);
});
