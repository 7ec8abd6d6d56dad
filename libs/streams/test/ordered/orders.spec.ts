import { describe, expect, it } from '@jest/globals';
import { type MillraceError, Topic, topicOf } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { IsInt } from 'class-validator';
import { Bed } from '../bed.js';
import { type Process, signal, subscribe } from '../fixture.js';
import { Tape } from './tape.js';

const bed = new Bed('orders');

/** Steps in one partition. */
@Topic<Lone>('test.lone', { key: ({ thing }) => `thing-${thing}` })
class Lone {
  @IsInt() thing!: number;
  @IsInt() step!: number;
}

@Topic<Witness>('test.witness')
class Witness {
  @IsInt() thing!: number;
  @IsInt() step!: number;
}

const PARK = { by: 'key', onExhausted: 'park' } as const;
const step = (thing: number, number: number): Lone => ({ thing, step: number });
const keys = (count: number, number = 0): { payload: Lone }[] =>
  Array.from({ length: count }, (_, thing) => ({ payload: step(thing, number) }));

class Plan {
  fails: (given: Lone) => boolean = () => true;
  /** Handlers that are at work. */
  atWork = 0;
  most = 0;
  gate: Promise<unknown> = Promise.resolve();
}

async function member(process: Process, tape: Tape, plan: Plan): Promise<void> {
  await subscribe(process, { topic: Lone, group: 'g', ordering: PARK, concurrency: 1_000 }, async (given: Lone) => {
    tape.add(given);
    if (plan.fails(given)) throw new Error('It cannot be done.');
    plan.atWork += 1;
    plan.most = Math.max(plan.most, plan.atWork);
    await plan.gate;
    plan.atWork -= 1;
  });
}

const parked = async (process: Process): Promise<number> => (await bed.state(process, Lone, 'g')).parked;
const release = (process: Process, thing: number): Promise<void> => process.streams.orders.release(Lone, 'g', { key: `thing-${thing}` });

/** Counts how often the process reads the notes of the owners of the partition. */
function notesReadBy(process: Process): { readonly count: number } {
  const { publish } = process.redis;
  const call = publish.call.bind(publish);
  const reads = { count: 0 };
  publish.call = (name, ...args) => {
    if (name === 'HGETALL' && args[0] === bed.place(Lone, 'g').groupKeys.control) reads.count += 1;
    return call(name, ...args);
  };
  return reads;
}

it('keys that are released together are opened by and by, and all are handled', async () => {
  const [process, admin, tape, plan, go] = [await bed.start(), await bed.start(), new Tape(), new Plan(), signal()];
  await member(process, tape, plan);
  await process.publisher.publishMany(Lone, [...keys(600), ...keys(600, 1)]);
  await waitFor(async () => (await parked(admin)) === 1_200, { what: 'all keys to be put aside', timeoutMs: 30_000 });
  plan.fails = () => false;
  plan.gate = go.promise;
  for (let thing = 0; thing < 600; thing += 1) await release(admin, thing);
  await waitFor(() => plan.atWork >= 128, { what: 'handlers to have as many as are opened' });
  // Others are not behind them: this one is handled though they are not.
  plan.gate = Promise.resolve();
  await admin.publisher.publish(Lone, step(9_999, 0));
  await waitFor(() => tape.of(9_999).length === 1, { what: 'another key to be handled' });
  expect(plan.most).toBeLessThanOrEqual(129);
  go.fire();
  await waitFor(async () => (await parked(admin)) === 0, { what: 'all keys to be handled', timeoutMs: 30_000 });
  for (let thing = 0; thing < 600; thing += 1) expect(tape.of(thing)).toEqual([0, 0, 1]);
}, 90_000);

describe('an owner learns which key was released', () => {
  /** Counts how often it reads all keys that are put aside, and has it read orders when it is told to. */
  function watching({ redis: { publish } }: Process): { scans: () => number; hold: () => () => void } {
    const call = publish.call.bind(publish);
    let [scans, held] = [0, Promise.resolve()];
    publish.call = async (name, ...args) => {
      if (name === 'HSCAN' && args[0] === bed.place(Lone, 'g').groupKeys.parkedKeys) scans += 1;
      if (name === 'HMGET' && args.includes('order')) await held;
      return call(name, ...args);
    };
    const hold = (): (() => void) => {
      const go = signal();
      held = go.promise;
      return () => go.fire();
    };
    return { scans: () => scans, hold };
  }

  async function withParked(count: number): Promise<{ process: Process; tape: Tape; watched: ReturnType<typeof watching> }> {
    const [process, tape, plan] = [await bed.start({ leaseMs: 60_000 }), new Tape(), new Plan()];
    const watched = watching(process);
    await member(process, tape, plan);
    await process.publisher.publishMany(Lone, keys(count));
    await waitFor(async () => (await parked(process)) === count, { what: 'all keys to be put aside' });
    await bed.drained(process, Lone, 'g');
    plan.fails = () => false;
    return { process, tape, watched };
  }

  const releaseFrom = async (process: Process, from: number, to: number): Promise<void> => {
    for (let thing = from; thing < to; thing += 1) await release(process, thing);
  };

  it('from the order, and reads no other key', async () => {
    const { process, tape, watched } = await withParked(5);
    const before = watched.scans();
    await releaseFrom(process, 1, 2);
    await waitFor(async () => (await parked(process)) === 4, { what: 'the key to be handled' });
    const go = watched.hold();
    await releaseFrom(process, 2, 5);
    go();
    await waitFor(async () => (await parked(process)) === 1, { what: 'the keys to be handled' });
    const handled = [0, 1, 2, 3, 4].map((thing) => tape.of(thing).length);
    expect([handled, watched.scans() - before]).toEqual([[1, 2, 2, 2, 2], 0]);
  });

  it('from all keys, when more orders came meanwhile than Redis keeps', async () => {
    const { process, watched } = await withParked(70);
    const [before, go] = [watched.scans(), watched.hold()];
    await releaseFrom(process, 0, 70);
    go();
    await waitFor(async () => (await parked(process)) === 0, { what: 'the keys to be handled' });
    expect(watched.scans() - before).toBeGreaterThan(0);
  });

  it('from all keys, when a member of an earlier version has released it, which notes no more than the number of its order', async () => {
    const { process } = await withParked(2);
    const { control, parkedKeys } = bed.place(Lone, 'g').groupKeys;
    await bed.command('HSET', parkedKeys, 'thing-0', 'released');
    await bed.command('HINCRBY', control, 'order', 1);
    await bed.command('SPUBLISH', bed.place(Lone, 'g').keys.ring, 'control g');
    await waitFor(async () => (await parked(process)) === 1, { what: 'the key to be handled' });
  });
});

describe('a ring', () => {
  it('that is about something else restarts no partition with keys that wait', async () => {
    const [process, tape, plan] = [await bed.start(), new Tape(), new Plan()];
    await member(process, tape, plan);
    plan.fails = ({ thing }) => thing === 0;
    await process.publisher.publishMany(Lone, keys(2));
    await waitFor(async () => (await parked(process)) === 1, { what: 'a key to be put aside' });
    await waitFor(() => tape.of(1).length === 1, { what: 'another key to be handled' });
    const reads = notesReadBy(process);
    for (const number of [1, 2, 3]) {
      await bed.command('SPUBLISH', bed.place(Lone, 'g').keys.ring, 'control g');
      await process.publisher.publish(Lone, step(1, number));
      await waitFor(() => tape.of(1).length === number + 1, { what: 'a message that was published after the ring' });
    }
    expect(reads.count).toBe(0);
    plan.fails = () => false;
    await release(process, 0);
    await waitFor(async () => (await parked(process)) === 0, { what: 'the key to be handled' });
    expect([tape.of(0), reads.count]).toEqual([[0, 0], 0]);
  });

  it.each([0, 1])('is not missed that comes before the member knows that a key was put aside, beside %i others', async (others) => {
    const [process, admin, tape, plan] = [await bed.start(), await bed.start(), new Tape(), new Plan()];
    const [done, held] = [signal(), signal()];
    await member(process, tape, plan);
    plan.fails = ({ thing }) => thing < 8;
    await admin.publisher.publishMany(Lone, keys(others));
    await waitFor(async () => (await parked(admin)) === others, { what: 'other keys to be put aside' });
    const { publish } = process.redis;
    const run = publish.run.bind(publish);
    publish.run = async (script, ...args) => {
      const reply = await run(script, ...args);
      if (script.name !== 'park.lua') return reply;
      done.fire();
      await held.promise;
      return reply;
    };
    await admin.publisher.publish(Lone, step(7, 0));
    await done.promise;
    plan.fails = () => false;
    await release(admin, 7);
    await admin.publisher.publish(Lone, step(9, 0));
    await waitFor(() => tape.of(9).length === 1, { what: 'a message that was published after the ring' });
    held.fire();
    await waitFor(() => tape.of(7).length === 2, { what: 'the released key to be handled' });
    await waitFor(async () => (await parked(admin)) === others, { what: 'it to be as any other' });
  });
});

it('a key that is put aside while its owner reads which keys are is known to be', async () => {
  const [{ process, proxy }, tape, plan] = [await bed.startBehindProxy({ leaseMs: 60_000 }), new Tape(), new Plan()];
  const [began, read, end, held] = [signal(), signal(), signal(), signal()];
  await subscribe(process, { topic: Lone, group: 'g', ordering: PARK }, async (given: Lone) => {
    tape.add(given);
    began.fire();
    await end.promise;
    if (plan.fails(given)) throw new Error('It cannot be done.');
  });
  await process.publisher.publish(Lone, step(0, 0));
  await began.promise;
  const { publish } = process.redis;
  const call = publish.call.bind(publish);
  publish.call = async (name, ...args) => {
    const reply = await call(name, ...args);
    if (args[0] !== bed.place(Lone, 'g').groupKeys.parkedKeys) return reply;
    read.fire();
    await held.promise;
    return reply;
  };
  // It reads all again on its next connection.
  proxy.reset();
  await read.promise;
  end.fire();
  const admin = await bed.start();
  // It settles a message of which it knows that it is put aside.
  await bed.drained(admin, Lone, 'g');
  expect(await parked(admin)).toBe(1);
  held.fire();
  plan.fails = () => false;
  await admin.publisher.publish(Lone, step(0, 1));
  await waitFor(async () => (await parked(admin)) === 2, { what: 'the next message of the key to be put aside' });
  expect(tape.of(0)).toEqual([0]);
});

it('a partition stays stopped when another order comes while Redis is told that it stops', async () => {
  const [process, admin, tape, plan] = [await bed.start(), await bed.start(), new Tape(), new Plan()];
  await member(process, tape, plan);
  await process.publisher.publishMany(Lone, keys(1));
  await waitFor(async () => (await parked(process)) === 1, { what: 'a key to be put aside' });
  await process.stop();
  const [second, told, hold, looked] = [await bed.start(), signal(), signal(), signal()];
  const { publish } = second.redis;
  const [run, call] = [publish.run.bind(publish), publish.call.bind(publish)];
  publish.run = async (script, ...args) => {
    if (script.name === 'note.lua') {
      told.fire();
      await hold.promise;
    }
    return run(script, ...args);
  };
  publish.call = async (name, ...args) => {
    const reply = await call(name, ...args);
    if (args[0] === bed.place(Lone, 'g').groupKeys.control && args.includes('order')) looked.fire();
    return reply;
  };
  const ordering = { by: 'key', onExhausted: 'stop' } as const;
  await subscribe(second, { topic: Lone, group: 'g', ordering, concurrency: 1 }, async (given: Lone) => {
    tape.add(given);
    if (given.thing === 5) throw new Error('It cannot be done.');
  });
  const witnesses: number[] = [];
  await subscribe(second, { topic: Witness, group: 'w', ordering: { by: 'partition' } }, async ({ step: number }: Witness) => witnesses.push(number));
  await admin.publisher.publish(Lone, step(5, 0));
  await told.promise;
  await admin.publisher.publish(Lone, step(6, 0));
  await release(admin, 0);
  for (const number of [1, 2, 3]) {
    await admin.publisher.publish(Witness, step(0, number));
    await waitFor(() => witnesses.includes(number), { what: 'the member to handle another message' });
  }
  expect([0, 5, 6].map((thing) => tape.of(thing))).toEqual([[0], [0], []]);
  hold.fire();
  await looked.promise;
  await admin.streams.orders.goOn(Lone, 'g', { partition: 0, message: 'dead-letter' });
  await bed.drained(admin, Lone, 'g');
  expect([0, 5, 6].map((thing) => tape.of(thing))).toEqual([[0, 0], [0], [0]]);
});

describe('a call whose reply is lost, and which is repeated, undoes nothing that an operator has ordered meanwhile:', () => {
  interface Lost {
    /** Resolves when Redis has done it. */
    readonly done: Promise<void>;
    readonly repeat: () => void;
  }

  /** Loses the first reply to a script that has this argument, and has the call repeated later. */
  function losing({ redis: { publish } }: Process, script: string, argument: string): Lost {
    const [done, go] = [signal(), signal()];
    const run = publish.run.bind(publish);
    let isLost = false;
    publish.run = async (given, keys, args) => {
      const reply = await run(given, keys, args);
      if (isLost || given.name !== script || !args.includes(argument)) return reply;
      isLost = true;
      done.fire();
      await go.promise;
      throw new Error('The connection was lost.');
    };
    return { done: done.promise, repeat: () => go.fire() };
  }

  it.each(['retry', 'dead-letter'] as const)('a partition that stopped goes on (%s)', async (message) => {
    const [process, admin, tape] = [await bed.start(), await bed.start(), new Tape()];
    const { done, repeat } = losing(process, 'note.lua', 'stopped');
    let fails = true;
    const ordering = { by: 'key', onExhausted: 'stop' } as const;
    await subscribe(process, { topic: Lone, group: 'g', ordering, concurrency: 1 }, async (given: Lone) => {
      tape.add(given);
      if (fails) throw new Error('It cannot be done.');
    });
    await process.publisher.publishMany(Lone, [step(0, 0), step(0, 1)].map((payload) => ({ payload })));
    await done;
    fails = false;
    await admin.streams.orders.goOn(Lone, 'g', { partition: 0, message });
    repeat();
    await bed.drained(admin, Lone, 'g', 10_000);
    expect(await admin.streams.orders.stopped(Lone, 'g')).toEqual([]);
    expect([tape.of(0), (await bed.deadLetters(admin, Lone, 'g')).length]).toEqual(message === 'retry' ? [[0, 0, 1], 0] : [[0, 1], 1]);
  });

  it.each(['retry', 'dead-letter'] as const)('a key that was put aside beside others is released (%s)', async (message) => {
    const [process, admin, tape, plan] = [await bed.start(), await bed.start(), new Tape(), new Plan()];
    await member(process, tape, plan);
    await process.publisher.publish(Lone, step(9, 0));
    await waitFor(async () => (await parked(admin)) === 1, { what: 'another key to be put aside' });
    const { done, repeat } = losing(process, 'park.lua', 'thing-0');
    await process.publisher.publish(Lone, step(0, 0));
    await done;
    plan.fails = () => false;
    await admin.streams.orders.release(Lone, 'g', { key: 'thing-0', message });
    await waitFor(async () => (await parked(admin)) === 1, { what: 'the message to be done with' });
    await process.publisher.publish(Lone, step(0, 1));
    repeat();
    await waitFor(() => tape.of(0).at(-1) === 1, { what: 'the next message of the key' });
    await bed.drained(admin, Lone, 'g', 10_000);
    const letters = (await bed.deadLetters(admin, Lone, 'g')).length;
    expect([tape.of(0), letters, await parked(admin)]).toEqual(message === 'retry' ? [[0, 0, 1], 0, 1] : [[0, 1], 1, 1]);
  });

  it.each(['retry', 'dead-letter'] as const)('a key that was put aside again is released (%s)', async (message) => {
    const [process, admin, tape, plan] = [await bed.start(), await bed.start(), new Tape(), new Plan()];
    const { done, repeat } = losing(process, 'settle-parked.lua', 'park');
    await member(process, tape, plan);
    await process.publisher.publishMany(Lone, [...keys(1), ...keys(1, 1)]);
    await waitFor(async () => (await parked(admin)) === 2, { what: 'two messages to be put aside' });
    await release(admin, 0);
    await done;
    plan.fails = () => false;
    await admin.streams.orders.release(Lone, 'g', { key: 'thing-0', message });
    repeat();
    await waitFor(async () => (await parked(admin)) === 0, { what: 'all messages to be handled' });
    const letters = (await bed.deadLetters(admin, Lone, 'g')).length;
    expect([tape.of(0), letters]).toEqual(message === 'retry' ? [[0, 0, 0, 1], 0] : [[0, 0, 1], 1]);
  });
});

it('a group that no process has run yet is unknown to all that operate on groups, in the same words', async () => {
  const [{ streams }, tape] = [await bed.start(), new Tape()];
  await streams.declare(topicOf(Lone));
  const group = 'g';
  const calls = (): Promise<unknown>[] => [
    streams.orders.parked(Lone, group),
    streams.orders.stopped(Lone, group),
    streams.orders.release(Lone, group, { key: 'thing-0' }),
    streams.orders.goOn(Lone, group, { partition: 0, message: 'retry' }),
    streams.groups.isPaused(Lone, group),
    streams.groups.seek(Lone, group, { to: 'earliest' }),
    streams.groups.remove(Lone, group),
    streams.inspector.group(topicOf(Lone), group),
    streams.deadLetters.list(Lone, group),
  ];
  const answers = async (): Promise<unknown[]> => {
    const ended = await Promise.allSettled(calls());
    return ended.map((end) => (end.status === 'rejected' ? [(end.reason as MillraceError).code, (end.reason as Error).message] : 'known'));
  };
  const toDo = 'A group is there once a process that subscribes to it has started: start one, or correct the name.';
  const unknown = ['UNKNOWN_GROUP', `Topic 'test.lone' has no group 'g' here; there is none. ${toDo}`];
  expect(await answers()).toEqual(Array(9).fill(unknown));
  await member(await bed.start(), tape, new Plan());
  expect([await streams.orders.parked(Lone, 'g'), await streams.orders.stopped(Lone, 'g')]).toEqual([[], []]);
});
