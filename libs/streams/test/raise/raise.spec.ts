import { describe, expect, it } from '@jest/globals';
import { topicOf } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { partitionKeys, topicsKey } from '../../src/keys.js';
import { placeOf } from '../../src/publish/partitioner.js';
import { Bed } from '../bed.js';
import { type Process, signal, subscribe } from '../fixture.js';
import { definitionWith, Grown, grownTo, Tape, upTo } from './grown.js';

const BY_KEY = { by: 'key' } as const;
const THINGS = 24;

const bed = new Bed('raise');
const metaOf = (partition: number): string => partitionKeys(bed.prefix, 'test.grown', partition).meta;
const index = (): Promise<unknown> => bed.command('HGET', topicsKey(bed.prefix), 'test.grown');
const raise = ({ streams }: Process, from: number, to: number): Promise<unknown> =>
  streams.topics.raisePartitions(Grown, { from, to });

/** Publishes the step of each thing, and waits until all are stored. */
async function publishStep({ publisher }: Process, step: number, topic = Grown): Promise<number[]> {
  const results = await publisher.publishMany(topic, upTo(THINGS).map((thing) => ({ payload: { thing, step } })));
  return results.map((result) => {
    if (result instanceof Error) throw result;
    return result.partition;
  });
}

async function lengths(partitions: number): Promise<number[]> {
  return Promise.all(upTo(partitions).map(async (partition) => Number((await bed.command('HGET', metaOf(partition), 'next')) ?? -1)));
}

describe('a raise of the number of partitions', () => {
  it('makes the new partitions, and the groups in them', async () => {
    const process = await bed.start();
    await subscribe(process, { topic: Grown, group: 'g' }, async () => undefined);
    expect(await raise(process, 2, 4)).toEqual({ from: 2, to: 4, changed: true, groups: ['g'] });
    expect(await index()).toMatch(/^4 2@\d+$/);
    expect(await lengths(5)).toEqual([0, 0, 0, 0, -1]);
    expect(await bed.command('HGET', partitionKeys(bed.prefix, 'test.grown', 3).groups, 'g')).toBe('0');
    expect(await process.streams.inspector.topics()).toEqual([{ name: 'test.grown', partitions: 4 }]);
  });

  it('to the number that is stored already changes nothing, and succeeds', async () => {
    const process = await bed.start();
    await process.streams.declare(topicOf(Grown));
    await raise(process, 2, 4);
    const before = await index();
    expect(await raise(process, 2, 4)).toEqual({ from: 4, to: 4, changed: false, groups: [] });
    expect(await index()).toBe(before);
  });

  it('can be looked at first', async () => {
    const process = await bed.start();
    await process.streams.declare(topicOf(Grown));
    const preview = process.streams.topics.raisePartitions(Grown, { from: 2, to: 4, preview: true });
    expect(await preview).toMatchObject({ changed: true });
    expect(await index()).toBe('2');
  });

  it.each([[4, 2], [2, 2]])('from %d to %d is refused, and says why', async (from, to) => {
    const process = await bed.start();
    await process.streams.declare(topicOf(Grown));
    const refused = raise(process, from, to);
    await expect(refused).rejects.toMatchObject({ code: 'INVALID_OPTIONS', message: expect.stringContaining('only grows') });
  });

  it('is refused when the topic has another number, or is not there', async () => {
    const process = await bed.start();
    await expect(raise(process, 2, 4)).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC' });
    await process.streams.declare(topicOf(Grown));
    await expect(raise(process, 3, 4)).rejects.toMatchObject({ code: 'TOPIC_MISMATCH' });
    await raise(process, 2, 4);
    await expect(raise(process, 2, 3)).rejects.toMatchObject({ code: 'TOPIC_MISMATCH' });
    expect(await index()).toMatch(/^4 /);
  });

  it('begins once when several begin at once: those to another number are refused', async () => {
    const processes = await Promise.all(upTo(4).map(() => bed.start()));
    await processes[0]!.streams.declare(topicOf(Grown));
    const outcomes = await Promise.allSettled([4, 4, 6, 6].map((to, at) => raise(processes[at]!, 2, to)));
    const count = Number(/^\d+/.exec(String(await index()))![0]);
    expect([4, 6]).toContain(count);
    const statuses = outcomes.map(({ status }) => status);
    expect(statuses).toEqual([4, 4, 6, 6].map((to) => (to === count ? 'fulfilled' : 'rejected')));
    expect(await bed.command('HGET', metaOf(0), 'partitions')).toBe(String(count));
  });
});

describe('code with an earlier number', () => {
  it('starts, publishes and subscribes with the number that is stored', async () => {
    const [operator, older] = [await bed.start(), await bed.start()];
    await operator.streams.declare(topicOf(Grown));
    await raise(operator, 2, 4);
    const tape = new Tape();
    await subscribe(older, { topic: Grown, group: 'g' }, async (step: Grown) => tape.add(step));
    expect(new Set(await publishStep(older, 0)).size).toBe(4);
    await waitFor(() => tape.count === THINGS, { what: 'all steps' });
  });

  it('that the topic never had is refused, as is a higher one before the raise', async () => {
    const [operator, other] = [await bed.start(), await bed.start()];
    await operator.streams.declare(topicOf(Grown));
    await expect(other.streams.declare(definitionWith(4))).rejects.toMatchObject({ code: 'TOPIC_MISMATCH', message: expect.stringContaining('raisePartitions') });
    await raise(operator, 2, 4);
    await expect(other.streams.declare(definitionWith(3))).rejects.toMatchObject({ code: 'TOPIC_MISMATCH' });
    await other.streams.declare(definitionWith(4));
  });
});

describe('a publisher that runs through a raise', () => {
  it('learns of it from a partition that refuses it, and publishes to where new code does', async () => {
    const [operator, older, newer] = [await bed.start(), await bed.start(), await bed.start()];
    expect(new Set(await publishStep(older, 0)).size).toBe(2);
    await raise(operator, 2, 4);
    const places = await publishStep(older, 1);
    expect(await publishStep(newer, 2, grownTo(4))).toEqual(places);
    expect(new Set(places).size).toBe(4);
    expect((await lengths(4)).reduce((sum, next) => sum + next)).toBe(3 * THINGS);
  });

  it('stores each message once, in the order of its key, whatever it has on its way', async () => {
    const [operator, older] = [await bed.start(), await bed.start()];
    await older.streams.declare(topicOf(Grown));
    const steps = 400;
    const publishing = upTo(steps).map((step) => publishStep(older, step));
    const raised = raise(operator, 2, 5);
    await Promise.all([...publishing, raised]);
    for (const step of [steps, steps + 1]) await publishStep(older, step);
    expect((await lengths(5)).reduce((sum, next) => sum + next)).toBe((steps + 2) * THINGS);
    for (const partition of upTo(5)) {
      const seen = new Map<number, number>();
      for (const { thing, step } of await storedIn(partition)) {
        expect(step).toBeGreaterThan(seen.get(thing) ?? -1);
        seen.set(thing, step);
      }
    }
  });

  it('finishes the raise when its operator is gone', async () => {
    const [operator, older] = [await bed.start(), await bed.start()];
    await publishStep(older, 0);
    // The new partitions are made and held, and one of the old ones is.
    await brokenOff(operator, 2, 4, 5);
    expect(await index()).toBe('2>4');
    await publishStep(older, 1);
    expect(await index()).toMatch(/^4 2@/);
    expect(new Set(await publishStep(older, 2)).size).toBe(4);
  });

  it('is held to the number again by a partition that has lost it, and raises an index that has', async () => {
    const [operator, older] = [await bed.start(), await bed.start()];
    await publishStep(older, 0);
    await raise(operator, 2, 4);
    await publishStep(older, 1);
    await bed.command('HSET', metaOf(1), 'partitions', 2);
    expect(new Set(await publishStep(older, 2)).size).toBe(4);
    expect(await bed.command('HGET', metaOf(1), 'partitions')).toBe('4');
    await bed.command('HSET', topicsKey(bed.prefix), 'test.grown', '2');
    const newcomer = await bed.start();
    expect(new Set(await publishStep(newcomer, 3)).size).toBe(4);
    expect(await index()).toMatch(/^4 2@/);
  });
});

async function storedIn(partition: number): Promise<Grown[]> {
  const entries = (await bed.command('XRANGE', partitionKeys(bed.prefix, 'test.grown', partition).log, '-', '+')) as [string, [string, string]][];
  return entries.flatMap(([, [, text]]) => (JSON.parse(text) as unknown[][]).map((envelope) => envelope.at(-1) as Grown));
}

/** A raise whose operator vanishes before so many of its calls to partitions. */
async function brokenOff({ redis, streams }: Process, from: number, to: number, calls: number): Promise<void> {
  const run = redis.control.run.bind(redis.control);
  let made = 0;
  redis.control.run = (script, ...args) => {
    if (['raise-partition.lua', 'declare-partition.lua', 'declare-group.lua'].includes(script.name)) made += 1;
    const isLast = script.name === 'raise-count.lua' && made > 0;
    return made > calls || isLast ? Promise.reject(new Error('gone')) : run(script, ...args);
  };
  await expect(streams.topics.raisePartitions(Grown, { from, to })).rejects.toThrow('gone');
}

describe('a raise whose operator vanished', () => {
  it.each(upTo(8))('is finished by the next call, broken off after %d steps', async (calls) => {
    const [operator, next] = [await bed.start(), await bed.start()];
    await publishStep(next, 0);
    await subscribe(next, { topic: Grown, group: 'g' }, async () => undefined);
    await brokenOff(operator, 2, 4, calls);
    expect(await raise(next, 2, 4)).toMatchObject({ to: 4 });
    expect(await index()).toMatch(/^4 2@/);
    for (const partition of upTo(4)) expect(await bed.command('HGET', metaOf(partition), 'partitions')).toBe('4');
    for (const partition of [2, 3]) expect(await bed.command('HGET', metaOf(partition), 'gates')).toBe('2:4:0');
    await publishStep(next, 1);
    await waitFor(async () => (await bed.state(next, Grown, 'g')).lag === 0, { what: 'all to be handled' });
  });
});

/** Counts how often a process looks whether its group has settled all from before a raise. */
function looksOf({ redis: { publish } }: Process): { made: number } {
  const run = publish.run.bind(publish);
  const looks = { made: 0 };
  publish.run = (script, ...args) => {
    if (script.name === 'look-drained.lua') looks.made += 1;
    return run(script, ...args);
  };
  return looks;
}

describe('R22 a group that runs through a raise', () => {
  it.each([['shared', {}], ['ordered', { ordering: BY_KEY }]])('handles all messages when it is %s, by members that run and by new ones', async (_, mode) => {
    const [operator, older] = [await bed.start(), await bed.start()];
    const tape = new Tape();
    const handle = async (step: Grown): Promise<void> => tape.add(step);
    await subscribe(older, { topic: Grown, group: 'g', ...mode }, handle);
    await publishStep(older, 0);
    await raise(operator, 2, 4);
    await publishStep(older, 1);
    await waitFor(() => tape.count === 2 * THINGS, { what: 'the member that runs to handle all' });
    const newer = await bed.start();
    await subscribe(newer, { topic: grownTo(4), group: 'g', ...mode }, handle);
    await publishStep(newer, 2, grownTo(4));
    await waitFor(() => tape.count === 3 * THINGS, { what: 'all steps' });
    for (const thing of upTo(THINGS)) expect(tape.firstsOf(thing).sort()).toEqual([0, 1, 2]);
  });

  it('begins nothing from after the raise before all from before it is settled', async () => {
    const [operator, member] = [await bed.start(), await bed.start()];
    const [tape, stuck, goOn] = [new Tape(), signal(), signal()];
    await subscribe(member, { topic: Grown, group: 'g', ordering: BY_KEY }, async (step: Grown) => {
      tape.add(step);
      if (step.thing !== 0 || step.step !== 0) return;
      stuck.fire();
      await goOn.promise;
    });
    await publishStep(operator, 0);
    await stuck.promise;
    await raise(operator, 2, 5);
    await publishStep(operator, 1);
    const other = await bed.start();
    const looks = looksOf(other);
    await subscribe(other, { topic: grownTo(5), group: 'g', ordering: BY_KEY }, async (step: Grown) => tape.add(step));
    await waitFor(() => tape.count >= THINGS, { what: 'the steps from before the raise' });
    await waitFor(() => looks.made >= 5, { what: 'the other to find messages held back, again and again' });
    expect(tape.count).toBe(THINGS);
    goOn.fire();
    await waitFor(() => tape.count === 2 * THINGS, { what: 'the steps from after it' });
    for (const thing of upTo(THINGS)) expect(tape.firstsOf(thing)).toEqual([0, 1]);
  });

  it('begins nothing from after the raise while a key from before it waits for an operator', async () => {
    const [operator, older] = [await bed.start(), await bed.start()];
    const tape = new Tape();
    let fails = true;
    const ordering = { by: 'key', onExhausted: 'park' } as const;
    await subscribe(older, { topic: Grown, group: 'g', ordering }, async (step: Grown) => {
      if (fails && step.thing === 0) throw new Error('It cannot be done.');
      tape.add(step);
    });
    const parked = (): ReturnType<Process['streams']['orders']['parked']> => older.streams.orders.parked(Grown, 'g');
    await publishStep(operator, 0);
    await waitFor(async () => (await parked()).length === 1, { what: 'a message to be put aside' });
    const looks = looksOf(older);
    await raise(operator, 2, 5);
    await publishStep(operator, 1);
    await waitFor(() => looks.made >= 5, { what: 'the member to find messages held back, again and again' });
    expect(tape.count).toBe(THINGS - 1);
    fails = false;
    await older.streams.orders.release(Grown, 'g', { key: 'thing-0' });
    await waitFor(() => tape.count === 2 * THINGS, { what: 'all steps' });
    for (const thing of upTo(THINGS)) expect(tape.firstsOf(thing)).toEqual([0, 1]);
  });

  it('is held back by no key that waits for an operator since the raise', async () => {
    const [operator, member] = [await bed.start(), await bed.start()];
    const tape = new Tape();
    const ordering = { by: 'key', onExhausted: 'park' } as const;
    const isOld = (thing: number): boolean => placeOf(`thing-${thing}`, 4) < 2;
    await subscribe(member, { topic: Grown, group: 'g', ordering }, async (step: Grown) => {
      if (isOld(step.thing)) throw new Error('It cannot be done.');
      tape.add(step);
    });
    await raise(operator, 2, 4);
    const publish = (things: number[]): Promise<unknown> =>
      operator.publisher.publishMany(Grown, things.map((thing) => ({ payload: { thing, step: 0 } })));
    const [old, moved] = [upTo(THINGS).filter(isOld), upTo(THINGS).filter((thing) => !isOld(thing))];
    await publish(old);
    const parked = (): ReturnType<Process['streams']['orders']['parked']> => member.streams.orders.parked(Grown, 'g');
    await waitFor(async () => (await parked()).length === old.length, { what: 'keys of the old partitions to be put aside' });
    await publish(moved);
    await waitFor(() => tape.count === moved.length, { what: 'all keys of the new partitions' });
  });

  it('shows keys in new partitions to operators whose code has the number from before it', async () => {
    const [operator, older] = [await bed.start(), await bed.start()];
    const ordering = { by: 'key', onExhausted: 'park' } as const;
    await subscribe(older, { topic: Grown, group: 'g', ordering }, () => Promise.reject(new Error('It cannot be done.')));
    await raise(operator, 2, 4);
    const places = await publishStep(operator, 0);
    const parked = (): ReturnType<Process['streams']['orders']['parked']> => older.streams.orders.parked(Grown, 'g');
    await waitFor(async () => (await parked()).length === THINGS, { what: 'all keys to be put aside' });
    await older.streams.orders.release(Grown, 'g', { key: `thing-${places.indexOf(3)}` });
  });

  it('keeps the order of each key through two raises, old and new processes, and an owner that vanishes', async () => {
    const [operator, older, vanishing] = [await bed.start(), await bed.start(), await bed.start()];
    const tape = new Tape();
    const handle = async (step: Grown): Promise<void> => {
      tape.add(step);
      await new Promise((resolve) => setTimeout(resolve, 1));
    };
    for (const process of [older, vanishing]) await subscribe(process, { topic: Grown, group: 'g', ordering: BY_KEY }, handle);
    let step = 0;
    const publish = async (process: Process, until: number, topic = Grown): Promise<void> => {
      for (; step < until; step += 1) await publishStep(process, step, topic);
    };
    await publish(operator, 20);
    const first = raise(older, 2, 5);
    await publish(operator, 40);
    await first;
    const newer = await bed.start();
    await subscribe(newer, { topic: grownTo(5), group: 'g', ordering: BY_KEY }, handle);
    vanishing.vanish();
    await publish(newer, 60, grownTo(5));
    const second = raise(newer, 5, 7);
    await publish(operator, 80);
    await second;
    await publish(older, 90);
    const seesAll = (): boolean => upTo(THINGS).every((thing) => tape.firstsOf(thing).length === 90);
    await waitFor(seesAll, { what: 'all steps', timeoutMs: 40_000 });
    for (const thing of upTo(THINGS)) expect(tape.firstsOf(thing)).toEqual(upTo(90));
  }, 60_000);

  it('stays paused in a process that has paused it, and goes on when it is resumed', async () => {
    const [operator, member] = [await bed.start(), await bed.start()];
    const tape = new Tape();
    const subscription = await subscribe(member, { topic: Grown, group: 'g', ordering: BY_KEY }, async (step: Grown) => tape.add(step));
    await subscription.pause();
    await publishStep(operator, 0);
    await raise(operator, 2, 4);
    await publishStep(operator, 1);
    const control = bed.place(Grown, 'g', 3).groupKeys.control;
    await waitFor(async () => (await bed.command('HGET', control, 'owner')) !== null, { what: 'the member to own a new partition' });
    expect([tape.count, subscription.pausedBy]).toEqual([0, ['process']]);
    subscription.resume();
    await waitFor(() => tape.count === 2 * THINGS, { what: 'all steps' });
    for (const thing of upTo(THINGS)) expect(tape.firstsOf(thing)).toEqual([0, 1]);
  });

  it('gives every partition one owner, though its members began with different numbers', async () => {
    const [operator, older, newer] = [await bed.start(), await bed.start(), await bed.start()];
    await subscribe(older, { topic: Grown, group: 'g', ordering: BY_KEY }, async () => undefined);
    await raise(operator, 2, 8);
    await subscribe(newer, { topic: grownTo(8), group: 'g', ordering: BY_KEY }, async () => undefined);
    const owners = (): Promise<unknown[]> => Promise.all(upTo(8).map((partition) => bed.command('HGET', bed.place(Grown, 'g', partition).groupKeys.control, 'owner')));
    const isEven = async (): Promise<boolean> => {
      const names = await owners();
      const counts = [...new Set(names)].map((name) => names.filter((owner) => owner === name).length);
      return !names.includes(null) && counts.length === 2 && counts.every((count) => count === 4);
    };
    await waitFor(isEven, { what: 'four partitions for each', timeoutMs: 20_000 });
  });

  it('is stopped while it still has a message from before the raise', async () => {
    const [operator, member] = [await bed.start(), await bed.start()];
    const stuck = signal();
    const subscription = await subscribe(member, { topic: Grown, group: 'g' }, async () => {
      stuck.fire();
      await new Promise(() => undefined);
    });
    await publishStep(operator, 0);
    await stuck.promise;
    await raise(operator, 2, 4);
    await waitFor(() => subscription.pausedBy.includes('stop'), { what: 'the member to be replaced' });
    await subscription.stop(50);
    const tape = new Tape();
    await subscribe(operator, { topic: Grown, group: 'g' }, async (step: Grown) => tape.add(step));
    await waitFor(() => tape.firstsOf(0).length === 1 && tape.count === THINGS, { what: 'another to handle all' });
  });
});
