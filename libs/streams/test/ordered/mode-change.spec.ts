import { describe, expect, it } from '@jest/globals';
import type { DeliveryContext, Ordering } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { type Process, signal, subscribe } from '../fixture.js';
import { Step, stepsOf } from './keyed.js';
import { BY_KEY, Log, OrderedBed, times } from './ordered-bed.js';

const bed = new OrderedBed('mode-change');
const TARGET = { topic: Step, group: 'g' } as const;

class Plan {
  fails: (step: Step) => boolean = () => false;
}

async function member(process: Process, log: Log, plan: Plan, ordering?: Ordering): Promise<void> {
  await subscribe(process, { ...TARGET, ...(ordering ? { ordering } : {}) }, async (step: Step, ctx: DeliveryContext) => {
    log.add(step, ctx);
    if (plan.fails(step)) throw new Error('It cannot be done.');
  });
}

const steps = (log: Log, thing: number): string[] => log.of(thing).map((line) => line.split(' ')[0]!);

/** Starts the group in shared mode, which is refused. @returns the message of the error */
async function refusedInSharedMode(): Promise<string> {
  const process = await bed.start();
  const error = await member(process, new Log(), new Plan()).then(() => null, (thrown: unknown) => thrown as Error);
  expect(error).toMatchObject({ code: 'ORDERING_MISMATCH' });
  return error!.message;
}

describe('a group that had an order is refused in shared mode, and nothing is lost,', () => {
  it.each(['stopped', 'died'])('while keys wait for an operator, when its member has %s', async (how) => {
    const [first, second, log, plan] = [await bed.start(), await bed.start(), new Log(), new Plan()];
    plan.fails = ({ step, thing }) => step === 1 && thing < 2;
    const ordering = { by: 'key', onExhausted: 'park' } as const;
    await member(first, log, plan, ordering);
    await first.publisher.publishMany(Step, stepsOf(3, 3));
    await bed.drained(first, Step, 'g');
    if (how === 'died') first.vanish();
    else await first.stop();
    expect(await refusedInSharedMode()).toContain('worked in order by key, and 2 of its keys and 0 of its partitions wait');
    plan.fails = () => false;
    await member(second, log, plan, ordering);
    await second.streams.orders.release(Step, 'g', { key: 'thing-0' });
    await second.streams.orders.release(Step, 'g', { key: 'thing-1' });
    await waitFor(async () => (await second.streams.orders.parked(Step, 'g')).length === 0, { what: 'the keys to be as any other' });
    for (const thing of [0, 1]) expect(steps(log, thing)).toEqual(['0', '1', '1', '2']);
    await second.stop();
    const shared = await bed.start();
    await member(shared, log, plan);
    await shared.publisher.publishMany(Step, stepsOf(3, 4).slice(9));
    await log.until(14);
  });

  it('while partitions have stopped', async () => {
    const [first, second, log, plan] = [await bed.start(), await bed.start(), new Log(), new Plan()];
    plan.fails = ({ step }) => step === 1;
    const ordering = { by: 'key', onExhausted: 'stop' } as const;
    await member(first, log, plan, ordering);
    await first.publisher.publishMany(Step, stepsOf(1, 3));
    const { partition } = await waitFor(async () => (await first.streams.orders.stopped(Step, 'g'))[0], { what: 'a partition to stop' });
    await first.stop();
    expect(await refusedInSharedMode()).toContain('0 of its keys and 1 of its partitions wait');
    plan.fails = () => false;
    await member(second, log, plan, ordering);
    await second.streams.orders.goOn(Step, 'g', { partition, message: 'retry' });
    await bed.drained(second, Step, 'g');
    expect(steps(log, 0)).toEqual(['0', '1', '1', '2']);
    await second.stop();
    await member(await bed.start(), log, plan);
  });
});

it('a group that gets an order handles what waits, is delayed or was held without one, and keeps the order of what is new', async () => {
  const [shared, dying, held] = [await bed.start(), await bed.start(), signal()];
  await subscribe(shared, { ...TARGET, retry: times(5, '1h') }, async () => {
    throw new Error('not yet');
  });
  await shared.publisher.publishMany(Step, stepsOf(4, 1));
  await waitFor(async () => (await bed.state(shared, Step, 'g')).retrying === 4, { what: 'all to wait' });
  await shared.streams.stop(1_000);
  let begun = 0;
  await subscribe(dying, TARGET, async () => {
    begun += 1;
    if (begun === 4) held.fire();
    await new Promise(() => undefined);
  });
  await dying.publisher.publishMany(Step, stepsOf(4, 2).slice(4));
  await held.promise;
  dying.vanish();
  const [ordered, log] = [await bed.start(), new Log()];
  await ordered.publisher.publishMany(Step, stepsOf(4, 3).slice(8).map((message) => ({ ...message, delay: '1500ms' as const })));
  for (const { groupKeys: { due } } of bed.places) {
    for (const name of (await bed.command('ZRANGE', due, 0, -1)) as string[]) await bed.command('ZADD', due, 1, name);
  }
  await member(ordered, log, new Plan(), BY_KEY);
  await ordered.publisher.publishMany(Step, stepsOf(4, 13).slice(12));
  await log.until(52);
  await bed.drained(ordered, Step, 'g');
  for (const thing of [0, 1, 2, 3]) {
    expect(steps(log, thing).filter((step) => Number(step) > 2)).toEqual(['3', '4', '5', '6', '7', '8', '9', '10', '11', '12']);
    expect(log.of(thing).filter((line) => Number(line.split(' ')[0]) < 3).sort()).toEqual(['0 2/0', '1 1/1', '2 1/0']);
  }
});
