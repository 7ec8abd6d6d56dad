import { describe, expect, it } from '@jest/globals';
import { type DeliveryContext, errorRecord, type Message, type Outcome } from '@millrace/core';
import { loadScript } from '@millrace/redis';
import { waitFor } from '@millrace/testing';
import type { GroupPartition } from '../../src/consume/group-partition.js';
import { signal, subscribe } from '../fixture.js';
import { Step, stepsOf } from './keyed.js';
import { BY_KEY, Log, OrderedBed, times } from './ordered-bed.js';

const bed = new OrderedBed('attempts');
const UNKNOWN: Outcome = { kind: 'dead-letter', reason: 'UNKNOWN_MESSAGE_TYPE', error: errorRecord(new Error('not known here')) };
const TARGET = { topic: Step, group: 'g', ordering: BY_KEY } as const;

describe('attempts of a message go on with the next owner of its partition', () => {
  it.each(['vanishes', 'stops'] as const)('when the owner %s between two of them', async (end) => {
    const [first, second, log] = [await bed.start(), await bed.start(), new Log()];
    await subscribe(first, { ...TARGET, retry: times(5, '1h') }, async (step: Step, ctx: DeliveryContext) => {
      log.add(step, ctx);
      throw new Error('not yet');
    });
    await first.publisher.publishMany(Step, stepsOf(1, 2));
    await waitFor(async () => (await bed.notes()).length === 1, { what: 'the attempt to be noted' });
    if (end === 'vanishes') first.vanish();
    else await first.streams.stop(1_000);
    await bed.ripen();
    await subscribe(second, { ...TARGET, retry: times(5) }, async (step: Step, ctx: DeliveryContext) => {
      log.add(step, ctx);
      if (step.step === 0 && ctx.attempt < 4) throw new Error('not yet');
    });
    await bed.drained(second, Step, 'g');
    const crashes = end === 'vanishes' ? 1 : 0;
    expect(log.of(0)).toEqual(['0 1/0', `0 2/${crashes}`, `0 3/${crashes}`, `0 4/${crashes}`, '1 1/0']);
    expect(await bed.notes()).toEqual([]);
  });

  it('and so does the delay before the next one', async () => {
    const [first, second, log] = [await bed.start(), await bed.start(), new Log()];
    await subscribe(first, { ...TARGET, retry: times(5, '1h') }, async (step: Step, ctx: DeliveryContext) => {
      log.add(step, ctx);
      if (step.thing === 0) throw new Error('not yet');
    });
    await first.publisher.publishMany(Step, stepsOf(1, 2));
    await waitFor(async () => (await bed.notes()).length === 1, { what: 'the attempt to be noted' });
    await first.streams.stop(1_000);
    await subscribe(second, { ...TARGET, retry: times(5) }, async (step: Step, ctx: DeliveryContext) => log.add(step, ctx));
    for (let thing = 1; thing < 30; thing += 1) await second.publisher.publish(Step, { thing, step: 0 });
    await log.until(30);
    await waitFor(async () => (await bed.state(second, Step, 'g')).lag === 2, { what: 'all others to be settled' });
    expect(log.of(0)).toEqual(['0 1/0']);
  });
});

it('records of attempts go when the log has lost their messages', async () => {
  const [first, second, log] = [await bed.start({ messagesPerEntry: 4 }), await bed.start(), new Log()];
  await subscribe(first, { ...TARGET, retry: times(5, '1h') }, async (step: Step, ctx: DeliveryContext) => {
    log.add(step, ctx);
    throw new Error('not yet');
  });
  await first.publisher.publishMany(Step, stepsOf(8, 1));
  await waitFor(async () => (await bed.notes()).length === 8, { what: 'the attempts to be noted' });
  await first.streams.stop(1_000);
  for (const { keys } of bed.places) await bed.command('XTRIM', keys.log, 'MAXLEN', 0);
  await subscribe(second, TARGET, async (step: Step, ctx: DeliveryContext) => log.add(step, ctx));
  await waitFor(async () => (await bed.notes()).length === 0, { what: 'the records to go' });
  expect(log.lines).toHaveLength(8);
});

it('attempts of a copy that waited in a shared group go on when an owner dies with it', async () => {
  const [shared, stuck, log] = [await bed.start(), signal(), new Log()];
  await subscribe(shared, { topic: Step, group: 'g', retry: times(5) }, async (step: Step, ctx: DeliveryContext) => {
    log.add(step, ctx);
    if (ctx.attempt === 1) throw new Error('not yet');
    stuck.fire();
    await new Promise(() => undefined);
  });
  await shared.publisher.publishMany(Step, stepsOf(1, 1));
  await stuck.promise;
  await shared.streams.stop(0);
  const [first, taken] = [await bed.start(), signal()];
  await subscribe(first, TARGET, async (step: Step, ctx: DeliveryContext) => {
    log.add(step, ctx);
    taken.fire();
    await new Promise(() => undefined);
  });
  await taken.promise;
  first.vanish();
  const second = await bed.start();
  await subscribe(second, TARGET, async (step: Step, ctx: DeliveryContext) => log.add(step, ctx));
  await bed.drained(second, Step, 'g');
  expect(log.of(0)).toEqual(['0 1/0', '0 2/0', '0 2/0', '0 2/1']);
});

it('records of attempts go when their messages are settled, however they end', async () => {
  const [process, log] = [await bed.start(), new Log()];
  await subscribe(process, { ...TARGET, retry: times(3, '1ms') }, async (step: Step, ctx: DeliveryContext) => {
    log.add(step, ctx);
    if (ctx.attempt < 2 || step.step === 1) throw new Error('not yet');
  });
  await process.publisher.publishMany(Step, stepsOf(20, 3));
  await bed.drained(process, Step, 'g');
  expect([log.lines.length, await bed.notes()]).toEqual([20 * (2 + 3 + 2), []]);
});

it('records of messages of a released key go as well, and a key that is released again has all its attempts again', async () => {
  const [process, log] = [await bed.start(), new Log()];
  let isIll = true;
  const ordering = { by: 'key', onExhausted: 'park' } as const;
  await subscribe(process, { ...TARGET, retry: times(3), ordering }, async (step: Step, ctx: DeliveryContext) => {
    log.add(step, ctx);
    if (isIll || ctx.attempt < 2) throw new Error('not yet');
  });
  await process.publisher.publishMany(Step, stepsOf(1, 2));
  const parked = async (): Promise<string> => {
    const keys = await process.streams.orders.parked(Step, 'g');
    return keys.map(({ state, messages }) => `${state} ${messages}`).join();
  };
  await waitFor(async () => (await parked()) === 'parked 2', { what: 'both messages to be put aside' });
  for (const round of [2, 3]) {
    await process.streams.orders.release(Step, 'g', { key: 'thing-0' });
    await log.until(3 * round);
    await waitFor(async () => (await parked()) === 'parked 2', { what: 'both messages to be put aside again' });
  }
  isIll = false;
  await process.streams.orders.release(Step, 'g', { key: 'thing-0' });
  await waitFor(async () => (await parked()) === '', { what: 'the key to be as any other' });
  const three = ['0 1/0', '0 2/0', '0 3/0'];
  expect(log.of(0)).toEqual([...three, ...three, ...three, '0 1/0', '0 2/0', '1 1/0', '1 2/0']);
  expect(await bed.notes()).toEqual([]);
});

it('a message that nobody knows yet keeps those of its key waiting, and no others', async () => {
  const [process, log, known] = [await bed.start(), new Log(), signal()];
  let isKnown = false;
  const prefilter = ({ payload }: Message): Outcome | null => {
    const { thing, step } = payload as Step;
    return !isKnown && thing === 0 && step === 1 ? UNKNOWN : null;
  };
  await subscribe(process, { ...TARGET, prefilter, unknownForMs: 60_000 }, async (step: Step, ctx: DeliveryContext) => {
    log.add(step, ctx);
    if (log.of(1).length === 3) known.fire();
  });
  await process.publisher.publishMany(Step, stepsOf(2, 3));
  await known.promise;
  expect(log.of(0)).toEqual(['0 1/0']);
  isKnown = true;
  await bed.drained(process, Step, 'g');
  expect([log.of(0), log.of(1), await bed.notes()]).toEqual([['0 1/0', '1 1/0', '2 1/0'], ['0 1/0', '1 1/0', '2 1/0'], []]);
});

it.each([
  ['a redriven message', 'again', 'entry 1-1', ['XADD', '1-1', 'r', 'x']],
  ['a message of a released key', 'parkedText', 'text thing-0 1', ['HSET', 'thing-0 1', 'x']],
] as const)('a note of %s that arrives behind its settlement leaves nothing', async (_, key, sign, [write, ...what]) => {
  const process = await bed.start();
  const [{ groupKeys }] = bed.places as [GroupPartition];
  await bed.command('HSET', groupKeys.control, 'owner', 'm', 'epoch', 1);
  const note = loadScript('../../src/scripts/note.lua', import.meta.url);
  const run = (attempt: number): Promise<unknown> => {
    const args = ['m 1', `tried:${sign.slice(sign.indexOf(' ') + 1)}`, `${attempt} 0 - 0 0 0`, '1', sign];
    return process.redis.publish.run(note, [groupKeys.control, groupKeys.stats, groupKeys[key]], args);
  };
  await bed.command(write, groupKeys[key], ...what);
  expect([await run(2), (await bed.notes()).length]).toEqual([1, 1]);
  await bed.command('DEL', groupKeys[key]);
  await bed.command('HDEL', groupKeys.control, ...(await bed.notes()));
  expect([await run(3), await bed.notes()]).toEqual([0, []]);
});
