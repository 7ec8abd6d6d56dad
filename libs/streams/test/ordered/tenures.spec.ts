import { describe, expect, it } from '@jest/globals';
import { type DeliveryContext, type Ordering, Topic } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { IsInt } from 'class-validator';
import type { ParkedKey } from '../../src/ordered/orders.js';
import { type Process, signal, subscribe } from '../fixture.js';
import type { Step } from './keyed.js';
import { BY_KEY, Log, OrderedBed, times } from './ordered-bed.js';

const bed = new OrderedBed('tenures');

/** All things in one partition. */
@Topic<Single>('test.single', { key: ({ thing }) => `thing-${thing}` })
class Single {
  @IsInt() thing!: number;
  @IsInt() step!: number;
}

const step = (thing: number, number: number): Step => ({ thing, step: number });

/** The key that waits for an operator. */
async function waiting(process: Process): Promise<ParkedKey | undefined> {
  return (await process.streams.orders.parked(Single, 'g'))[0];
}

/** So a partition is taken away: its owner learns of it at its next read, and takes it again. */
function takeAway(): Promise<unknown> {
  return bed.command('HDEL', bed.place(Single, 'g').groupKeys.control, 'owner');
}

/** Takes the partition away before the next note of the process. @returns whether it has done so */
function takesAwayBeforeNote({ redis: { publish } }: Process): () => boolean {
  const run = publish.run.bind(publish);
  let hasTaken = false;
  publish.run = async (script, ...args) => {
    if (script.name === 'note.lua' && !hasTaken) {
      hasTaken = true;
      await takeAway();
    }
    return run(script, ...args);
  };
  return () => hasTaken;
}

/** A process that has vanished with a message of thing 0 at work, and another one. */
async function afterDeath(ordering: Ordering = BY_KEY): Promise<Process> {
  const [first, second, stuck] = [await bed.start(), await bed.start(), signal()];
  await subscribe(first, { topic: Single, group: 'g', ordering }, async () => {
    stuck.fire();
    await new Promise(() => undefined);
  });
  await first.publisher.publish(Single, step(0, 0));
  await stuck.promise;
  first.vanish();
  return second;
}

describe('a tenure that ends while a message begins that is alone after a death leaves its key free', () => {
  it('when the mark of its begin is refused', async () => {
    const [process, log] = [await afterDeath(), new Log()];
    const hasTaken = takesAwayBeforeNote(process);
    await subscribe(process, { topic: Single, group: 'g', ordering: BY_KEY }, async (given: Step, ctx: DeliveryContext) => log.add(given, ctx));
    await log.until(1);
    await bed.drained(process, Single, 'g');
    expect([hasTaken(), log.of(0).length]).toEqual([true, 1]);
  });

  it('when its mark is stored, and the reply comes late', async () => {
    const [process, log, marked, late] = [await afterDeath(), new Log(), signal(), signal()];
    const { publish } = process.redis;
    const run = publish.run.bind(publish);
    publish.run = async (script, ...args) => {
      const reply = await run(script, ...args);
      if (script.name === 'note.lua') {
        marked.fire();
        await late.promise;
      }
      return reply;
    };
    await subscribe(process, { topic: Single, group: 'g', ordering: BY_KEY }, async (given: Step, ctx: DeliveryContext) => log.add(given, ctx));
    await marked.promise;
    await takeAway();
    await process.publisher.publish(Single, step(1, 0));
    await waitFor(() => log.of(1).length > 0, { what: 'the next tenure to handle a message of another key' });
    late.fire();
    await log.until(2);
    await bed.drained(process, Single, 'g');
    expect(log.of(0).length).toBe(1);
  });
});

it('a message whose attempt cannot be noted, as its partition was taken away, is not tried again before the next tenure', async () => {
  const [process, log] = [await bed.start(), new Log()];
  takesAwayBeforeNote(process);
  let calls = 0;
  await subscribe(process, { topic: Single, group: 'g', ordering: BY_KEY, retry: times(9, '1ms') }, async (given: Step, ctx: DeliveryContext) => {
    log.add(given, ctx);
    calls += 1;
    if (calls > 1) return;
    // The reads that follow the publish are over by then: the owner learns nothing from them.
    for (let commands = 0; commands < 50; commands += 1) await bed.command('PING');
    throw new Error('not yet');
  });
  await process.publisher.publish(Single, step(0, 0));
  await log.until(2);
  await bed.drained(process, Single, 'g');
  expect([log.of(0), (await bed.state(process, Single, 'g')).fenced]).toEqual([['0 1/0', '0 1/0'], 0]);
});

describe('a message that was given up since it took processes down begins anew when an operator says so', () => {
  it('at which its partition stopped', async () => {
    const ordering = { by: 'key', onExhausted: 'stop' } as const;
    const [process, log] = [await afterDeath(ordering), new Log()];
    const target = { topic: Single, group: 'g', ordering, crashLimit: 1 };
    await subscribe(process, target, async (given: Step, ctx: DeliveryContext) => log.add(given, ctx));
    await waitFor(async () => (await process.streams.orders.stopped(Single, 'g'))[0]?.reason === 'CRASH_LOOP', { what: 'it to stop' });
    await process.streams.orders.goOn(Single, 'g', { partition: 0, message: 'retry' });
    await bed.drained(process, Single, 'g');
    expect(log.lines).toEqual(['0.0 1/0']);
  });

  it('whose key was put aside', async () => {
    const ordering = { by: 'key', onExhausted: 'park' } as const;
    const [first, second, stuck, log] = [await bed.start(), await bed.start(), signal(), new Log()];
    let isIll = true;
    await subscribe(first, { topic: Single, group: 'g', ordering }, async () => {
      if (isIll) throw new Error('ill');
      stuck.fire();
      await new Promise(() => undefined);
    });
    await first.publisher.publish(Single, step(0, 0));
    await waitFor(() => waiting(second), { what: 'the key to be put aside' });
    isIll = false;
    await first.streams.orders.release(Single, 'g', { key: 'thing-0' });
    await stuck.promise;
    first.vanish();
    const target = { topic: Single, group: 'g', ordering, crashLimit: 1 };
    await subscribe(second, target, async (given: Step, ctx: DeliveryContext) => log.add(given, ctx));
    await waitFor(async () => (await waiting(second))?.reason === 'CRASH_LOOP', { what: 'the key to wait again' });
    await second.streams.orders.release(Single, 'g', { key: 'thing-0' });
    await waitFor(() => log.lines.length > 0, { what: 'the message to begin' });
    expect(log.lines).toEqual(['0.0 1/0']);
  });

  it('whose key was put aside, with all attempts, when the owner before had counted some', async () => {
    const ordering = { by: 'key', onExhausted: 'park' } as const;
    const [first, second, failed, log] = [await bed.start(), await bed.start(), signal(), new Log()];
    const target = { topic: Single, group: 'g', ordering, crashLimit: 9 };
    let calls = 0;
    await subscribe(first, { ...target, retry: times(2) }, async () => {
      calls += 1;
      if (calls < 4) throw new Error('ill');
      failed.fire();
      await new Promise(() => undefined);
    });
    await first.publisher.publish(Single, step(0, 0));
    await waitFor(() => waiting(second), { what: 'the key to be put aside' });
    await first.streams.orders.release(Single, 'g', { key: 'thing-0' });
    await failed.promise;
    first.vanish();
    let isIll = true;
    await subscribe(second, { ...target, retry: times(2) }, async (given: Step, ctx: DeliveryContext) => {
      log.add(given, ctx);
      if (isIll) throw new Error('ill');
    });
    await waitFor(async () => (await waiting(second))?.state === 'parked', { what: 'the key to wait again' });
    isIll = false;
    await second.streams.orders.release(Single, 'g', { key: 'thing-0' });
    await log.until(2);
    expect(log.of(0)).toEqual(['0 2/1', '0 1/0']);
  });
});

it('a message that was put aside, and whose owner vanished before it could settle it, leaves no record of its attempts', async () => {
  const ordering = { by: 'key', onExhausted: 'park' } as const;
  const [first, second, parked, log] = [await bed.start(), await bed.start(), signal(), new Log()];
  const target = { topic: Single, group: 'g', ordering };
  await subscribe(first, target, async () => Promise.reject(new Error('ill')));
  const { publish } = first.redis;
  const run = publish.run.bind(publish);
  publish.run = async (script, ...args) => {
    const reply = await run(script, ...args);
    if (script.name !== 'park.lua') return reply;
    parked.fire();
    return new Promise(() => undefined);
  };
  await first.publisher.publish(Single, step(0, 0));
  await parked.promise;
  first.vanish();
  await subscribe(second, target, async (given: Step, ctx: DeliveryContext) => log.add(given, ctx));
  await bed.drained(second, Single, 'g');
  expect(await waiting(second)).toMatchObject({ messages: 1, state: 'parked', reason: 'ATTEMPTS_EXHAUSTED' });
  const fields = (await bed.command('HKEYS', bed.place(Single, 'g').groupKeys.control)) as string[];
  expect([log.lines, fields.filter((field) => field.startsWith('tried:'))]).toEqual([[], []]);
});
