import { describe, expect, it } from '@jest/globals';
import { listen, topicOf } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { noRetry, type Process, subscribe } from '../fixture.js';
import { Step, stepsOf } from './keyed.js';
import { OrderedBed, times } from './ordered-bed.js';
import { Tape } from './tape.js';

const bed = new OrderedBed('exhausted');

interface Plan {
  readonly onExhausted: 'park' | 'stop' | 'dead-letter';
  /** Whether the handler fails. */
  fails: (step: Step) => boolean;
}

/** A member whose handler fails as the plan says, at its one attempt unless `retry` says more. */
async function member(process: Process, tape: Tape, plan: Plan, retry = noRetry): Promise<void> {
  const ordering = { by: 'key', onExhausted: plan.onExhausted } as const;
  await subscribe(process, { topic: Step, group: 'g', ordering, retry }, async (step: Step) => {
    tape.add(step);
    if (plan.fails(step)) throw new Error('It cannot be done.');
  });
}

const step = (thing: number, number: number): Step => ({ thing, step: number });
const parked = (process: Process): ReturnType<Process['streams']['orders']['parked']> => process.streams.orders.parked(Step, 'g');

it.each([['park', 'parked'], ['stop', 'stopped'], ['dead-letter', 'dead-letter']] as const)('with %s a failure for good is reported as %s', async (how, end) => {
  const [process, tape, ends] = [await bed.start(), new Tape(), [] as string[]];
  const unlisten = listen('attempt-failed', ({ topic, outcome }) => topic === topicOf(Step).name && ends.push(outcome));
  await member(process, tape, { onExhausted: how, fails: () => true });
  await process.publisher.publish(Step, step(0, 0));
  await waitFor(() => ends.length > 0, { what: 'the failure to be reported' }).finally(unlisten);
  expect(ends).toEqual([end]);
});

describe('a key whose message has failed at its last attempt is put aside', () => {
  it('with all messages that follow it, while other keys go on', async () => {
    const [process, tape] = [await bed.start(), new Tape()];
    await member(process, tape, { onExhausted: 'park', fails: ({ thing, step: number }) => thing === 1 && number === 1 });
    const published = await process.publisher.publishMany(Step, stepsOf(3, 4));
    await bed.drained(process, Step, 'g');
    expect([tape.of(0), tape.of(1), tape.of(2)]).toEqual([[0, 1, 2, 3], [0, 1], [0, 1, 2, 3]]);
    const [key, ...others] = await parked(process);
    expect([key, others]).toMatchObject([{ key: 'thing-1', state: 'parked', messages: 3, reason: 'ATTEMPTS_EXHAUSTED' }, []]);
    expect(key!.error).toMatchObject({ message: 'It cannot be done.' });
    const { id, partition, offset } = published[4]!;
    expect(key).toMatchObject({ messageId: id, partition, offset });
    expect(await bed.deadLetters(process, Step, 'g')).toEqual([]);
  });

  it('and handled in its order when an operator releases it, before messages that came later', async () => {
    const [process, tape] = [await bed.start(), new Tape()];
    const plan: Plan = { onExhausted: 'park', fails: () => true };
    await member(process, tape, plan);
    await process.publisher.publishMany(Step, stepsOf(1, 3));
    await waitFor(async () => (await parked(process))[0]?.messages === 3, { what: 'three messages to be put aside' });
    plan.fails = () => false;
    const releasing = process.streams.orders.release(Step, 'g', { key: 'thing-0' });
    for (const number of [3, 4, 5]) await process.publisher.publish(Step, step(0, number));
    await releasing;
    await waitFor(() => tape.of(0).length >= 7, { what: 'all steps' });
    await bed.drained(process, Step, 'g');
    await waitFor(async () => (await parked(process)).length === 0, { what: 'the key to be as any other' });
    await process.publisher.publish(Step, step(0, 6));
    await waitFor(() => tape.of(0).at(-1) === 6, { what: 'a step of the key' });
    expect(tape.of(0)).toEqual([0, 0, 1, 2, 3, 4, 5, 6]);
  });

  it('and no other key begins like it, whatever characters it has', async () => {
    const [process, handled] = [await bed.start(), [] as string[]];
    let fails = true;
    const keys = ['k', 'k\0', 'k 0000000000000000', 'k!', 'k%20', 'ключ \u0001 🎉'];
    const ordering = { by: 'key', onExhausted: 'park' } as const;
    await subscribe(process, { topic: Step, group: 'g', ordering }, async (given: Step, { key }) => {
      if (fails) throw new Error('It cannot be done.');
      handled.push(`${key} ${given.step}`);
    });
    for (const number of [0, 1]) for (const key of keys) await process.publisher.publish(Step, step(0, number), { key });
    const waiting = async (): Promise<string[]> => {
      return (await parked(process)).filter(({ messages }) => messages === 2).map(({ key }) => key);
    };
    await waitFor(async () => (await waiting()).length === keys.length, { what: 'all keys to be put aside' });
    expect((await waiting()).toSorted()).toEqual(keys.toSorted());
    fails = false;
    for (const [index, key] of keys.entries()) {
      await process.streams.orders.release(Step, 'g', { key });
      await waitFor(() => handled.length === 2 * (index + 1), { what: 'both messages of the key' });
      expect(handled.slice(-2)).toEqual([`${key} 0`, `${key} 1`]);
    }
  });

  it('again, when one of its messages fails after it was released', async () => {
    const [process, tape] = [await bed.start(), new Tape()];
    const plan: Plan = { onExhausted: 'park', fails: () => true };
    await member(process, tape, plan);
    await process.publisher.publishMany(Step, stepsOf(1, 3));
    await waitFor(async () => (await parked(process))[0]?.messages === 3, { what: 'three messages to be put aside' });
    plan.fails = ({ step: number }) => number === 1;
    await process.streams.orders.release(Step, 'g', { key: 'thing-0' });
    const isParkedAgain = async (): Promise<boolean> => {
      const [key] = await parked(process);
      return key?.state === 'parked' && key.messages === 2;
    };
    await waitFor(isParkedAgain, { what: 'two messages to be put aside again' });
    expect(tape.of(0)).toEqual([0, 0, 1]);
  });

  it('also for the next owner of its partition', async () => {
    const [first, second, tape] = [await bed.start(), await bed.start(), new Tape()];
    await member(first, tape, { onExhausted: 'park', fails: () => true });
    await first.publisher.publishMany(Step, stepsOf(1, 1));
    await waitFor(async () => (await parked(first)).length === 1, { what: 'a message to be put aside' });
    await first.streams.stop(1_000);
    const plan: Plan = { onExhausted: 'park', fails: () => false };
    await member(second, tape, plan);
    await second.publisher.publish(Step, step(0, 1));
    await waitFor(async () => (await parked(second))[0]?.messages === 2, { what: 'the next message to be put aside' });
    expect(tape.of(0)).toEqual([0]);
    await second.streams.orders.release(Step, 'g', { key: 'thing-0' });
    await waitFor(() => tape.of(0).length === 3, { what: 'both messages' });
    expect(tape.of(0)).toEqual([0, 0, 1]);
  });

  it('and goes on behind the message at which it waits when an operator has that dead-lettered', async () => {
    const [process, tape] = [await bed.start(), new Tape()];
    await member(process, tape, { onExhausted: 'park', fails: ({ step: number }) => number === 1 }, times(2));
    const published = await process.publisher.publishMany(Step, stepsOf(1, 4));
    await waitFor(async () => (await parked(process))[0]?.messages === 3, { what: 'three messages to be put aside' });
    await process.streams.orders.release(Step, 'g', { key: 'thing-0', message: 'dead-letter' });
    await waitFor(async () => (await parked(process)).length === 0, { what: 'the key to be as any other' });
    expect(tape.of(0)).toEqual([0, 1, 1, 2, 3]);
    const [letter, ...others] = await bed.deadLetters(process, Step, 'g');
    const error = expect.objectContaining({ message: 'It cannot be done.' }) as unknown;
    expect([letter, others]).toMatchObject([{ messageId: published[1]!.id, reason: 'ATTEMPTS_EXHAUSTED', attempts: 2, crashes: 0, error }, []]);
    expect(await bed.notes()).toEqual([]);
  });

  it('and goes on behind that message also with another owner, when the release found none', async () => {
    const [first, second, tape] = [await bed.start(), await bed.start(), new Tape()];
    const fails = ({ step: number }: Step): boolean => number === 1;
    await member(first, tape, { onExhausted: 'park', fails });
    await first.publisher.publishMany(Step, stepsOf(1, 4));
    await waitFor(async () => (await parked(first))[0]?.messages === 3, { what: 'three messages to be put aside' });
    await first.streams.stop(1_000);
    const release = (): Promise<void> => second.streams.orders.release(Step, 'g', { key: 'thing-0', message: 'dead-letter' });
    await release();
    await expect(release()).rejects.toMatchObject({ code: 'KEY_NOT_PARKED' });
    await member(second, tape, { onExhausted: 'park', fails });
    await waitFor(async () => (await parked(second)).length === 0, { what: 'the key to be as any other' });
    expect(tape.of(0)).toEqual([0, 1, 2, 3]);
    expect((await bed.deadLetters(second, Step, 'g')).map(({ payload }) => payload)).toEqual([step(0, 1)]);
  });

  it('and another one that was redriven before that message is handled: it is not the one at which the key waits', async () => {
    const [process, tape] = [await bed.start(), new Tape()];
    const plan: Plan = { onExhausted: 'dead-letter', fails: ({ step: number }) => number === 0 };
    await member(process, tape, plan);
    await process.publisher.publish(Step, step(0, 0));
    await bed.drained(process, Step, 'g');
    await process.stop();
    const second = await bed.start();
    const fails: Plan = { onExhausted: 'park', fails: ({ step: number }) => number === 1 };
    await member(second, tape, fails);
    await second.publisher.publishMany(Step, stepsOf(1, 3).slice(1));
    await waitFor(async () => (await parked(second))[0]?.messages === 2, { what: 'two messages to be put aside' });
    await second.streams.deadLetters.redrive(Step, 'g', { all: true });
    await waitFor(async () => (await parked(second))[0]?.messages === 3, { what: 'the third to be put aside' });
    expect((await parked(second))[0]).toMatchObject({ offset: 1, reason: 'ATTEMPTS_EXHAUSTED' });
    await second.streams.orders.release(Step, 'g', { key: 'thing-0', message: 'dead-letter' });
    await waitFor(async () => (await parked(second)).length === 0, { what: 'the key to be as any other' });
    expect(tape.of(0)).toEqual([0, 1, 0, 2]);
    expect((await bed.deadLetters(second, Step, 'g')).map(({ payload }) => payload)).toEqual([step(0, 1)]);
  });

  it('and is tried again when it is released so after it was to be dead-lettered, and waited once more before', async () => {
    const [first, second, tape] = [await bed.start(), await bed.start(), new Tape()];
    const plan: Plan = { onExhausted: 'park', fails: () => true };
    await member(first, tape, plan);
    await first.publisher.publishMany(Step, stepsOf(1, 2));
    await waitFor(async () => (await parked(first))[0]?.messages === 2, { what: 'two messages to be put aside' });
    await first.streams.stop(1_000);
    const { partition } = (await parked(second))[0]!;
    await second.streams.orders.release(Step, 'g', { key: 'thing-0', message: 'dead-letter' });
    // As a member of an earlier version does: it knows of no such choice.
    await bed.command('HSET', bed.place(Step, 'g', partition).groupKeys.parkedKeys, 'thing-0', 'parked');
    await second.streams.orders.release(Step, 'g', { key: 'thing-0', message: 'retry' });
    plan.fails = () => false;
    await member(second, tape, plan);
    await waitFor(async () => (await parked(second)).length === 0, { what: 'the key to be as any other' });
    expect([tape.of(0), await bed.deadLetters(second, Step, 'g')]).toEqual([[0, 0, 1], []]);
  });

  it('and is released once: a second time it is refused, and nothing is changed', async () => {
    const [process, tape] = [await bed.start(), new Tape()];
    await member(process, tape, { onExhausted: 'park', fails: () => true });
    await process.publisher.publishMany(Step, stepsOf(1, 1));
    await waitFor(async () => (await parked(process)).length === 1, { what: 'a message to be put aside' });
    await bed.command('HSET', bed.place(Step, 'g', (await parked(process))[0]!.partition).groupKeys.parkedKeys, 'thing-0', 'released');
    const again = process.streams.orders.release(Step, 'g', { key: 'thing-0' });
    await expect(again).rejects.toMatchObject({ code: 'KEY_NOT_PARKED', message: expect.stringContaining('released already') as unknown });
    const other = process.streams.orders.release(Step, 'g', { key: 'thing-0', message: 'dead-letter' });
    await expect(other).rejects.toMatchObject({ code: 'KEY_NOT_PARKED' });
    expect(await bed.notes()).toEqual([]);
    const unknown = process.streams.orders.release(Step, 'g', { key: 'thing-7' });
    await expect(unknown).rejects.toMatchObject({ code: 'KEY_NOT_PARKED' });
  });
});

describe('a partition stops at a message that has failed at its last attempt', () => {
  it('and says so, until an operator has it tried again: it goes on in its order', async () => {
    const [process, tape] = [await bed.start(), new Tape()];
    const plan: Plan = { onExhausted: 'stop', fails: ({ step: number }) => number === 1 };
    const ordering = { by: 'key', onExhausted: 'stop' } as const;
    const subscription = await subscribe(process, { topic: Step, group: 'g', ordering }, async (given: Step) => {
      tape.add(given);
      if (plan.fails(given)) throw new Error('It cannot be done.');
    });
    const published = await process.publisher.publishMany(Step, stepsOf(1, 4));
    const stopped = await waitFor(async () => (await process.streams.orders.stopped(Step, 'g'))[0], { what: 'the partition to stop' });
    expect(stopped).toMatchObject({ reason: 'ATTEMPTS_EXHAUSTED', messageId: published[1]!.id, offset: 1 });
    expect(subscription.problem()).toContain('It cannot be done.');
    expect(tape.of(0)).toEqual([0, 1]);
    plan.fails = () => false;
    await process.streams.orders.goOn(Step, 'g', { partition: stopped.partition, message: 'retry' });
    await bed.drained(process, Step, 'g');
    expect([tape.of(0), subscription.problem()]).toEqual([[0, 1, 1, 2, 3], null]);
    const again = process.streams.orders.goOn(Step, 'g', { partition: stopped.partition, message: 'retry' });
    await expect(again).rejects.toMatchObject({ code: 'PARTITION_NOT_STOPPED' });
  });

  it('and goes on behind it when an operator has it dead-lettered, also with another owner', async () => {
    const [first, second, tape] = [await bed.start(), await bed.start(), new Tape()];
    await member(first, tape, { onExhausted: 'stop', fails: ({ step: number }) => number === 1 });
    await first.publisher.publishMany(Step, stepsOf(1, 3));
    const stopped = await waitFor(async () => (await first.streams.orders.stopped(Step, 'g'))[0], { what: 'the partition to stop' });
    await first.streams.stop(1_000);
    await member(second, tape, { onExhausted: 'stop', fails: ({ step: number }) => number === 1 });
    await second.streams.orders.goOn(Step, 'g', { partition: stopped.partition, message: 'dead-letter' });
    await bed.drained(second, Step, 'g');
    expect(tape.of(0)).toEqual([0, 1, 2]);
    expect(await bed.deadLetters(second, Step, 'g')).toMatchObject([{ reason: 'ATTEMPTS_EXHAUSTED', attempts: 1 }]);
    expect(await second.streams.orders.stopped(Step, 'g')).toEqual([]);
  });
});

it('a group that is ordered by partition cannot put keys aside', async () => {
  const process = await bed.start();
  const subscribed = subscribe(process, { topic: Step, group: 'g', ordering: { by: 'partition', onExhausted: 'park' } }, async () => undefined);
  await expect(subscribed).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
});
