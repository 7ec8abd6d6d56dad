import { describe, expect, it } from '@jest/globals';
import { batchPipeline, DeadLetter, errorRecord, fixed, RetryLater, type RetryPolicy, type Subscription, topicOf } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { Bed } from '../bed.js';
import { type Process, signal, subscribe } from '../fixture.js';
import { Step, stepsOf } from '../ordered/keyed.js';
import { numbers, Single } from '../topics.js';

const bed = new Bed('breaker');

const RULE = { threshold: 0.9, messages: 20, openForMs: 100 };
/** No trial comes by itself. */
const HELD = { ...RULE, openForMs: 600_000 };
const TOTAL = 2_000;
const ONCE: RetryPolicy = { attempts: 1, backoff: fixed('1ms'), deadLetterOn: [] };

/** A handler that fails on what it is told to. */
class Handler {
  readonly handled: number[] = [];
  calls = 0;
  fails: (value: number) => boolean;

  constructor(fails: (value: number) => boolean) {
    this.fails = fails;
  }

  readonly handle = async ({ value }: { value: number }): Promise<void> => {
    this.calls += 1;
    if (this.fails(value)) throw new Error('the build is bad');
    this.handled.push(value);
  };
}

const always = (): boolean => true;
const never = (): boolean => false;

function paused(process: Process): Promise<unknown> {
  return waitFor(async () => (await process.streams.groups.broken(Single, 'g')).length > 0, { what: 'the member to be paused' });
}

async function started(handler: Handler, rule = RULE): Promise<{ process: Process; subscription: Subscription }> {
  const process = await bed.start();
  const target = { topic: Single, group: 'g', retry: ONCE, breaker: rule };
  return { process, subscription: await subscribe(process, target, handler.handle) };
}

describe('a member whose handler fails on all messages', () => {
  it('is paused with the reason, keeps the backlog, and goes on by itself when the handler works again', async () => {
    const handler = new Handler(always);
    const { process, subscription } = await started(handler);
    await process.publisher.publishMany(Single, numbers(TOTAL));
    await paused(process);
    const [broken] = await process.streams.groups.broken(Single, 'g');
    expect(broken).toEqual({
      member: expect.stringMatching(/\.1$/), since: expect.any(Date), error: 'Error: the build is bad',
      why: 'more than 90 % of the last 20 messages failed at their first attempt',
    });
    expect(subscription.problem()).toMatch(/failed at their first attempt, the latest with Error: the build is bad. It is paused/);
    // Some trials have failed.
    await waitFor(() => handler.calls >= 30, { what: 'some trials' });
    const { deadLetters } = await bed.state(process, Single, 'g');
    expect(deadLetters).toBe(20);
    handler.fails = never;
    await bed.drained(process, Single, 'g');
    expect(handler.handled).toHaveLength(TOTAL - deadLetters);
    expect([subscription.problem(), subscription.pausedBy]).toEqual([null, []]);
    await waitFor(async () => (await process.streams.groups.broken(Single, 'g')).length === 0, { what: 'the record to be gone' });
    expect((await bed.state(process, Single, 'g')).deadLetters).toBe(deadLetters);
  });

  it('goes on at once when an operator resumes the group, and counts anew', async () => {
    const handler = new Handler(always);
    const { process, subscription } = await started(handler, HELD);
    await process.publisher.publishMany(Single, numbers(TOTAL));
    await paused(process);
    expect(subscription.pausedBy).toEqual(['failures']);
    const other = await bed.start();
    handler.fails = never;
    await other.streams.groups.resume(Single, 'g');
    await bed.drained(process, Single, 'g');
    expect(handler.handled).toHaveLength(TOTAL - 20);
  });

  it('leaves the messages to members that work', async () => {
    const bad = new Handler(always);
    const { process } = await started(bad, HELD);
    await process.publisher.publishMany(Single, numbers(TOTAL));
    await paused(process);
    const good = new Handler(never);
    const { process: other, subscription } = await started(good);
    await bed.drained(other, Single, 'g');
    expect(good.handled).toHaveLength(TOTAL - 20);
    expect(subscription.problem()).toBeNull();
  });

  it('begins no message while it is paused, and leaves no record behind when it stops', async () => {
    const handler = new Handler(always);
    const { process, subscription } = await started(handler, HELD);
    await process.publisher.publishMany(Single, numbers(TOTAL));
    await paused(process);
    const { calls } = handler;
    await process.publisher.publishMany(Single, numbers(10));
    await subscription.stop(1_000);
    expect(handler.calls).toBe(calls);
    expect(await bed.command('EXISTS', bed.place(Single, 'g').groupKeys.broken)).toBe(0);
  });

  it('keeps its record for as long as it is paused: one that is gone would end the pause', async () => {
    const { process } = await started(new Handler(always));
    await process.publisher.publishMany(Single, numbers(TOTAL));
    await paused(process);
    const { broken } = bed.place(Single, 'g').groupKeys;
    await bed.command('PEXPIRE', broken, 60_000);
    const leftMs = async (): Promise<number> => Number(await bed.command('PTTL', broken));
    await waitFor(async () => (await leftMs()) > 600_000, { what: 'the record to be kept' });
  });

  it('tries five messages at once, and no more', async () => {
    const [process, end] = [await bed.start(), signal()];
    let [isPaused, tried] = [false, 0];
    await subscribe(process, { topic: Single, group: 'g', concurrency: 30, retry: ONCE, breaker: RULE }, async () => {
      if (!isPaused) throw new Error('the build is bad');
      tried += 1;
      await end.promise;
    });
    await process.publisher.publishMany(Single, numbers(TOTAL));
    await paused(process);
    isPaused = true;
    await waitFor(() => tried >= 5, { what: 'a trial' });
    expect(tried).toBe(5);
    end.fire();
    await bed.drained(process, Single, 'g');
  });

  it('counts no attempt of the messages that it tries, and does not count those that began before', async () => {
    const [process, handler, end] = [await bed.start(), new Handler(always), signal()];
    const attempts = new Set<number>();
    const target = { topic: Single, group: 'g', concurrency: 30, retry: { ...ONCE, attempts: 2, backoff: fixed('10m') }, breaker: RULE };
    await subscribe(process, target, async ({ value }: { value: number }, { attempt }) => {
      attempts.add(attempt);
      // They fail when the member is paused.
      if (value < 10) await end.promise;
      await handler.handle({ value });
    });
    await process.publisher.publishMany(Single, numbers(40));
    await paused(process);
    end.fire();
    await waitFor(() => handler.calls >= 45, { what: 'some trials' });
    expect([...attempts]).toEqual([1]);
    // Only those of the window wait for their second attempt; all the others wait for a trial.
    handler.fails = never;
    await waitFor(() => handler.handled.length === 20, { what: 'the others to be handled' });
    expect([...attempts]).toEqual([1]);
  });
});

it('one message in a hundred that always fails pauses nobody, also when they alone are left', async () => {
  const handler = new Handler((value) => value % 100 === 0);
  const process = await bed.start();
  const retry = { ...ONCE, attempts: 5 };
  const subscription = await subscribe(process, { topic: Single, group: 'g', retry, breaker: RULE }, handler.handle);
  await process.publisher.publishMany(Single, numbers(5_000));
  const reasons = new Set<string | null>();
  await waitFor(async () => {
    reasons.add(subscription.problem());
    return (await bed.state(process, Single, 'g')).deadLetters === 50;
  }, { what: 'the dead letters' });
  expect([...reasons]).toEqual([null]);
});

it('batches that fail as a whole count as a few messages each: it takes four to pause a member', async () => {
  const process = await bed.start();
  const calls: number[] = [];
  let reason: string | null = null;
  const parts = { topic: topicOf(Single), group: 'g', retry: { ...ONCE, attempts: 2, backoff: fixed('10m') } };
  const definition = { ...parts, concurrency: 1, crashLimit: 10, breaker: HELD };
  const handle = async (payloads: unknown[]): Promise<void> => {
    calls.push(payloads.length);
    reason ??= subscription.problem();
    throw new Error('one of them is bad');
  };
  const rule = { size: 50, waitMs: 3_600_000 };
  const subscription: Subscription = await process.streams.subscribeBatch(definition, rule, batchPipeline({ ...parts, handle }));
  await process.publisher.publishMany(Single, numbers(500));
  await paused(process);
  expect([calls, reason]).toEqual([[50, 50, 50, 50], null]);
});

it.each([
  ['gives messages up', () => new DeadLetter('not for us')],
  ['wants messages later', () => new RetryLater('1h')],
])('a handler that %s works', async (_, thrown) => {
  const process = await bed.start();
  let calls = 0;
  const subscription = await subscribe(process, { topic: Single, group: 'g', retry: { ...ONCE, attempts: 2 }, breaker: RULE }, async () => {
    calls += 1;
    throw thrown();
  });
  await process.publisher.publishMany(Single, numbers(100));
  await waitFor(() => calls === 100, { what: 'all to be handled' });
  expect(subscription.problem()).toBeNull();
});

it('a handler that gives up all that is tried on purpose lets its member go on', async () => {
  const [process, tried] = [await bed.start(), { isMended: false }];
  const subscription = await subscribe(process, { topic: Single, group: 'g', retry: ONCE, breaker: RULE }, async () => {
    throw tried.isMended ? new DeadLetter('not for us') : new Error('the build is bad');
  });
  await process.publisher.publishMany(Single, numbers(100));
  await paused(process);
  tried.isMended = true;
  await waitFor(() => subscription.problem() === null, { what: 'the member to go on' });
  await waitFor(async () => (await bed.state(process, Single, 'g')).deadLetters === 100, { what: 'all to be given up' });
});

it.each(['deduplicated', 'expired', 'filtered'])('messages that were %s say nothing of the handler', async (how) => {
  const process = await bed.start();
  const limits = { concurrency: 16, crashLimit: 10, unknownForMs: 0, start: 'earliest', breaker: RULE } as const;
  let calls = 0;
  const error = errorRecord(new Error('the build is bad'));
  const subscription = await process.streams.subscribe({ topic: topicOf(Single), group: 'g', ...limits }, async () => {
    calls += 1;
    return calls % 4 === 0 ? { kind: 'retry', delayMs: 600_000, error } : { kind: 'ack', [how]: true };
  });
  await process.publisher.publishMany(Single, numbers(100));
  await waitFor(() => subscription.problem() !== null, { what: 'the member to be paused' });
});

it('an ordered group keeps its order over a pause, and nothing is given up', async () => {
  const process = await bed.start();
  const handled: Step[] = [];
  let isBad = true;
  const target = { topic: Step, group: 'g', ordering: { by: 'key' }, retry: { ...ONCE, attempts: 3 }, breaker: RULE } as const;
  const subscription = await subscribe(process, target, async (step: Step) => {
    if (isBad) throw new Error('the build is bad');
    handled.push(step);
  });
  await process.publisher.publishMany(Step, stepsOf(40, 5));
  await waitFor(() => subscription.problem() !== null, { what: 'the member to be paused' });
  await waitFor(async () => (await process.streams.groups.broken(Step, 'g')).length === 1, { what: 'its record' });
  isBad = false;
  await bed.drained(process, Step, 'g');
  const orders = Array.from({ length: 40 }, (_, thing) => handled.filter((step) => step.thing === thing).map(({ step }) => step));
  expect(orders).toEqual(Array.from({ length: 40 }, () => [0, 1, 2, 3, 4]));
  expect((await bed.state(process, Step, 'g')).deadLettered).toBe(0);
});
