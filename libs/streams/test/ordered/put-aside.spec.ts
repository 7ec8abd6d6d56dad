import { expect, it } from '@jest/globals';
import type { Subscription } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { Bed } from '../bed.js';
import { noRetry, type Process, signal, subscribe } from '../fixture.js';
import { Step, stepsOf } from './keyed.js';
import { times } from './ordered-bed.js';
import { Tape } from './tape.js';

const bed = new Bed('put-aside');
const PARK = { by: 'key', onExhausted: 'park' } as const;
const BOUNDS = { maxAgeMs: 1_000_000_000, maxMessages: 1, maxBytes: 1_000_000_000 };

class Plan {
  fails = true;
  isGivenUp = false;
}

/** A member whose handler fails as the plan says, at its one attempt; it keeps one dead letter in each partition. */
function member(process: Process, tape: Tape, plan: Plan): Promise<Subscription> {
  const retry = { ...noRetry, deadLetterOn: [RangeError] };
  return subscribe(process, { topic: Step, group: 'g', ordering: PARK, retry, deadLetters: BOUNDS }, async (step: Step) => {
    tape.add(step);
    if (plan.isGivenUp) throw new RangeError('It is not wanted.');
    if (plan.fails) throw new Error('It cannot be done.');
  });
}

async function parkedMessages(process: Process): Promise<number> {
  return (await process.streams.orders.parked(Step, 'g')).reduce((sum, { messages }) => sum + messages, 0);
}

it('a key that a full Redis does not put aside is a problem of its subscription, until there is room', async () => {
  const [process, tape, plan] = [await bed.start(), new Tape(), new Plan()];
  const subscription = await member(process, tape, plan);
  await subscription.pause();
  await process.publisher.publishMany(Step, stepsOf(1, 3));
  await bed.command('CONFIG', 'SET', 'maxmemory', 1);
  try {
    subscription.resume();
    const problem = await waitFor(() => subscription.problem(), { what: 'the subscription to report a problem' });
    expect(problem).toContain('maxmemory');
    expect([await parkedMessages(process), tape.of(0)]).toEqual([0, [0]]);
  } finally {
    await bed.command('CONFIG', 'SET', 'maxmemory', 0);
  }
  await waitFor(async () => (await parkedMessages(process)) === 3, { what: 'all messages of the key to be put aside' });
  expect([subscription.problem(), tape.of(0)]).toEqual([null, [0]]);
});

it('messages of a released key that become dead letters are kept within bounds at once', async () => {
  // Nobody is taken for gone meanwhile: that would have them looked at as well.
  const [process, tape, plan] = [await bed.start({ leaseMs: 60_000 }), new Tape(), new Plan()];
  await member(process, tape, plan);
  await process.publisher.publishMany(Step, stepsOf(1, 4));
  await waitFor(async () => (await parkedMessages(process)) === 4, { what: 'all messages of the key to be put aside' });
  plan.isGivenUp = true;
  await process.streams.orders.release(Step, 'g', { key: 'thing-0' });
  const dropped = async (): Promise<number> => (await bed.state(process, Step, 'g')).deadLettersDropped;
  await waitFor(async () => (await dropped()) === 3, { what: 'dead letters to be dropped', timeoutMs: 20_000 });
  expect(await bed.state(process, Step, 'g')).toMatchObject({ deadLettered: 4, deadLetters: 1 });
});

it('messages that are put aside are counted as that, and as handled when they are', async () => {
  const [process, tape, plan] = [await bed.start(), new Tape(), new Plan()];
  await member(process, tape, plan);
  await process.publisher.publishMany(Step, stepsOf(2, 3));
  await waitFor(async () => (await parkedMessages(process)) === 6, { what: 'all messages to be put aside' });
  await bed.drained(process, Step, 'g');
  expect(await bed.state(process, Step, 'g')).toMatchObject({ handled: 0, parked: 6, deadLettered: 0, lag: 0 });
  plan.fails = false;
  await process.streams.orders.release(Step, 'g', { key: 'thing-0' });
  await waitFor(async () => (await parkedMessages(process)) === 3, { what: 'a key to be handled' });
  expect(await bed.state(process, Step, 'g')).toMatchObject({ handled: 3, parked: 3, deadLettered: 0, lag: 0 });
  plan.isGivenUp = true;
  await process.streams.orders.release(Step, 'g', { key: 'thing-1' });
  await waitFor(async () => (await parkedMessages(process)) === 0, { what: 'the other key to be given up' });
  expect(await bed.state(process, Step, 'g')).toMatchObject({ handled: 3, parked: 0, deadLettered: 3, lag: 0 });
});

it('attempts that fail and are made again in their place are counted, also after a crash', async () => {
  const [first, second, stuck] = [await bed.start(), await bed.start(), signal()];
  const target = { topic: Step, group: 'g', ordering: { by: 'key' }, retry: times(4) } as const;
  await subscribe(first, target, async (_: Step, { attempt }) => {
    if (attempt < 3) throw new Error('not yet');
    stuck.fire();
    await new Promise(() => undefined);
  });
  await first.publisher.publishMany(Step, stepsOf(1, 1));
  await stuck.promise;
  first.vanish();
  await subscribe(second, target, async (_: Step, { attempt }) => {
    if (attempt < 4) throw new Error('not yet');
  });
  await bed.drained(second, Step, 'g');
  expect(await bed.state(second, Step, 'g')).toMatchObject({ retried: 3, handled: 1 });
});
