import { describe, expect, it } from '@jest/globals';
import { type DeliveryContext, Topic } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { IsInt } from 'class-validator';
import { type Process, signal, subscribe } from '../fixture.js';
import { Step, stepsOf } from './keyed.js';
import { BY_KEY, Log, OrderedBed, times } from './ordered-bed.js';

const bed = new OrderedBed('ordered-crashes');

/** All things in one partition. */
@Topic<Step>('test.crowded', { key: ({ thing }) => `thing-${thing}` })
class Crowded {
  @IsInt() thing!: number;
  @IsInt() step!: number;
}

const TARGET = { topic: Step, group: 'g', ordering: BY_KEY } as const;

/** A member that takes so many messages with it. */
async function victim(things: number, options: { onExhausted?: 'park' } = {}): Promise<Process> {
  const [process, stuck] = [await bed.start(), signal()];
  let begun = 0;
  await subscribe(process, { ...TARGET, ordering: { by: 'key', ...options } }, async () => {
    begun += 1;
    if (begun === things) stuck.fire();
    await new Promise(() => undefined);
  });
  await process.publisher.publishMany(Step, stepsOf(things, 3));
  await stuck.promise;
  return process;
}

it('a message alone that is settled together with others lets the next one begin', async () => {
  // Things 1 and 2 have one entry: the later step of thing 1 runs beside the message of thing 2, which is alone after a death.
  const entries = [[[1, 0]], [[1, 1], [2, 0]], [[3, 0]]].map((steps) => steps.map(([thing, step]) => ({ thing, step }) as Step));
  const ordering = { by: 'key' } as const;
  const first = await bed.start({ messagesPerEntry: 4 });
  for (const entry of entries) await first.publisher.publishMany(Crowded, entry.map((payload) => ({ payload })));
  const [stuck, together, gate] = [signal(), signal(), signal()];
  let begun = 0;
  await subscribe(first, { topic: Crowded, group: 'g', ordering }, async () => {
    begun += 1;
    if (begun === 3) stuck.fire();
    await new Promise(() => undefined);
  });
  await stuck.promise;
  const [second, log] = [await bed.start(), new Log()];
  first.vanish();
  let waiting = 0;
  await subscribe(second, { topic: Crowded, group: 'g', ordering }, async (step: Step, ctx: DeliveryContext) => {
    log.add(step, ctx);
    if (step.thing !== 2 && step.step === 0) return;
    waiting += 1;
    if (waiting === 2) together.fire();
    await gate.promise;
  });
  await together.promise;
  gate.fire();
  await bed.drained(second, Crowded, 'g');
  expect(log.lines.toSorted()).toEqual(['1.0 1/1', '1.1 1/0', '2.0 1/1', '3.0 1/1']);
});

describe('the death of an owner counts', () => {
  it('for the first message of each key alone', async () => {
    const first = await victim(4);
    const [second, log] = [await bed.start(), new Log()];
    first.vanish();
    await subscribe(second, TARGET, async (step: Step, ctx: DeliveryContext) => log.add(step, ctx));
    await bed.drained(second, Step, 'g');
    for (const thing of [0, 1, 2, 3]) expect(log.of(thing)).toEqual(['0 1/1', '1 1/0', '2 1/0']);
    expect(await bed.notes()).toEqual([]);
  });

  it('for the first message of a partition alone, where that is ordered', async () => {
    const [first, stuck] = [await bed.start(), signal()];
    const ordering = { by: 'partition' } as const;
    await subscribe(first, { ...TARGET, ordering }, async () => {
      stuck.fire();
      await new Promise(() => undefined);
    });
    for (const { payload } of stepsOf(3, 2)) await first.publisher.publish(Step, payload, { key: 'one' });
    await stuck.promise;
    const [second, log] = [await bed.start(), new Log()];
    first.vanish();
    await subscribe(second, { ...TARGET, ordering }, async (step: Step, ctx: DeliveryContext) => log.add(step, ctx));
    await bed.drained(second, Step, 'g');
    expect(log.lines).toEqual(['0.0 1/1', '1.0 1/0', '2.0 1/0', '0.1 1/0', '1.1 1/0', '2.1 1/0']);
  });

  it('once, also when its messages are read again before they begin', async () => {
    const first = await victim(3);
    const [{ process: second, proxy }, log, began, go] = [await bed.startBehindProxy(), new Log(), signal(), signal()];
    first.vanish();
    await subscribe(second, TARGET, async (step: Step, ctx: DeliveryContext) => {
      log.add(step, ctx);
      if (log.lines.length > 1) return;
      began.fire();
      await go.promise;
    });
    await began.promise;
    proxy.reset();
    // Messages of a dead owner begin one at a time: others show that the member reads again.
    const witness = (): Promise<unknown> => second.publisher.publish(Step, { thing: 9, step: 0 });
    await witness().catch(witness);
    await waitFor(() => log.of(9).length > 0, { what: 'the member to read again' });
    go.fire();
    await bed.drained(second, Step, 'g');
    for (const thing of [0, 1, 2]) expect(log.of(thing)).toEqual(['0 1/1', '1 1/0', '2 1/0']);
  });

  it('for the first message of a released key alone', async () => {
    const [first, log, stuck] = [await bed.start(), new Log(), signal()];
    const ordering = { by: 'key', onExhausted: 'park' } as const;
    let isIll = true;
    await subscribe(first, { ...TARGET, ordering, retry: times(1) }, async () => {
      if (isIll) throw new Error('ill');
      stuck.fire();
      await new Promise(() => undefined);
    });
    await first.publisher.publishMany(Step, stepsOf(1, 3));
    const isParked = async (): Promise<boolean> => (await first.streams.orders.parked(Step, 'g'))[0]?.messages === 3;
    await waitFor(isParked, { what: 'the key to be put aside' });
    isIll = false;
    await first.streams.orders.release(Step, 'g', { key: 'thing-0' });
    await stuck.promise;
    const second = await bed.start();
    first.vanish();
    await subscribe(second, { ...TARGET, ordering }, async (step: Step, ctx: DeliveryContext) => log.add(step, ctx));
    await log.until(3);
    expect(log.of(0)).toEqual(['0 1/1', '1 1/0', '2 1/0']);
    await waitFor(async () => (await bed.notes()).length === 0, { what: 'nothing to be left' });
  });
});

it('nothing counts when an owner stops, or gives a partition away, with messages that it has read', async () => {
  const [first, second, log, stuck] = [await bed.start(), await bed.start(), new Log(), signal()];
  await subscribe(first, TARGET, async () => {
    stuck.fire();
    await new Promise(() => undefined);
  });
  await first.publisher.publishMany(Step, stepsOf(5, 3));
  await stuck.promise;
  await first.streams.stop(50);
  await subscribe(second, TARGET, async (step: Step, ctx: DeliveryContext) => log.add(step, ctx));
  await bed.drained(second, Step, 'g');
  for (const thing of [0, 1, 2, 3, 4]) expect(log.of(thing)).toEqual(['0 1/0', '1 1/0', '2 1/0']);
});

it('a retry begins when its record is written, not sooner', async () => {
  const [process, log, held, go] = [await bed.start(), new Log(), signal(), signal()];
  const { publish } = process.redis;
  const run = publish.run.bind(publish);
  publish.run = async (script, ...args) => {
    if (script.name === 'note.lua') {
      held.fire();
      await go.promise;
    }
    return run(script, ...args);
  };
  await subscribe(process, { ...TARGET, retry: times(2, '0ms') }, async (step: Step, ctx: DeliveryContext) => {
    log.add(step, ctx);
    if (step.thing === 0 && ctx.attempt === 1) throw new Error('not yet');
  });
  await process.publisher.publish(Step, { thing: 0, step: 0 });
  await held.promise;
  for (let step = 0; step < 5; step += 1) await process.publisher.publish(Step, { thing: 1, step });
  await log.until(6);
  expect(log.of(0)).toEqual(['0 1/0']);
  go.fire();
  await bed.drained(process, Step, 'g');
  expect([log.of(0), await bed.notes()]).toEqual([['0 1/0', '0 2/0'], []]);
});

it('a death counts though the next owner has given the partition up before it began anything', async () => {
  const [dying, log] = [await victim(1), new Log()];
  const [heir, before] = [await bed.start(), await bed.epochs()];
  // Before the heir joins: a living owner gives it partitions, and what it has begun there does not count.
  dying.vanish();
  const subscription = await subscribe(heir, TARGET, async (step: Step, ctx: DeliveryContext) => log.add(step, ctx));
  await subscription.pause();
  await waitFor(async () => (await bed.epochs()).every((epoch, index) => epoch > before[index]!), { what: 'the heir to own all' });
  await heir.streams.stop(1_000);
  const last = await bed.start();
  await subscribe(last, TARGET, async (step: Step, ctx: DeliveryContext) => log.add(step, ctx));
  await bed.drained(last, Step, 'g');
  expect(log.of(0)).toEqual(['0 1/1', '1 1/0', '2 1/0']);
});
