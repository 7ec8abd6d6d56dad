import { beforeEach, expect, it } from '@jest/globals';
import { replicated, type Subscription } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { noRetry, type Process, subscribe } from '../fixture.js';
import { ReplicatedBed } from '../replicated-bed.js';
import { Step, stepsOf } from './keyed.js';
import { Tape } from './tape.js';

const bed = new ReplicatedBed('put-aside-replicated');
const PARK = { by: 'key', onExhausted: 'park' } as const;

beforeEach(() => bed.follow());

async function parkedMessages(process: Process): Promise<number> {
  return (await process.streams.orders.parked(Step, 'g')).reduce((sum, { messages }) => sum + messages, 0);
}

/** Resolves when the subscription says that an outcome waits for replicas. */
async function unconfirmed(subscription: Subscription): Promise<void> {
  const isWaiting = (): boolean => subscription.problem()?.includes('0 of 1 replicas confirmed the outcome') === true;
  await waitFor(isWaiting, { what: 'an outcome to wait for replicas', timeoutMs: 20_000 });
}

it.each([
  ['handled', null],
  ['a dead letter', new RangeError('It is not wanted.')],
  ['put aside again', new Error('It cannot be done.')],
])('a message of a released key that is %s counts as that when replicas have it: the next one of its key waits for that', async (_, failure) => {
  const process = await bed.start({ leaseMs: 2_000 });
  const tape = new Tape();
  let isReleased = false;
  const retry = { ...noRetry, deadLetterOn: [RangeError] };
  const definition = { topic: Step, group: 'g', ordering: PARK, retry, durability: replicated(1, '200ms') };
  const subscription = await subscribe(process, definition, async (step: Step) => {
    tape.add(step);
    if (!isReleased) throw new Error('It cannot be done.');
    if (failure !== null && step.step === 0) throw failure;
  });
  await process.publisher.publishMany(Step, stepsOf(1, 3));
  await waitFor(async () => (await parkedMessages(process)) === 3, { what: 'all messages of the key to be put aside' });
  await bed.drained(process, Step, 'g');
  bed.replica.pause();
  isReleased = true;
  await process.streams.orders.release(Step, 'g', { key: 'thing-0' });
  await unconfirmed(subscription);
  expect(tape.of(0)).toEqual([0, 0]);
  bed.replica.resume();
  await waitFor(() => subscription.problem() === null, { what: 'the outcome to be confirmed', timeoutMs: 20_000 });
  const left = failure?.name === 'Error' ? 3 : 0;
  await waitFor(async () => (await parkedMessages(process)) === left, { what: 'the key to be done', timeoutMs: 20_000 });
  expect(tape.of(0)).toEqual(left === 0 ? [0, 0, 1, 2] : [0, 0]);
});

it('a message leaves the log when replicas have it among those that are put aside', async () => {
  const process = await bed.start({ leaseMs: 2_000 });
  const definition = { topic: Step, group: 'g', ordering: PARK, durability: replicated(1, '200ms') };
  const subscription = await subscribe(process, definition, () => Promise.reject(new Error('It cannot be done.')));
  await bed.inStep();
  bed.replica.pause();
  await process.publisher.publishMany(Step, stepsOf(1, 1));
  await unconfirmed(subscription);
  expect([await parkedMessages(process), await bed.state(process, Step, 'g')]).toMatchObject([1, { lag: 1, parked: 1 }]);
  bed.replica.resume();
  await bed.drained(process, Step, 'g');
  expect([await parkedMessages(process), subscription.problem()]).toEqual([1, null]);
});
