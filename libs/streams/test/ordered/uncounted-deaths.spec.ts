import { describe, expect, it } from '@jest/globals';
import { type DeliveryContext, Topic } from '@millrace/core';
import { loadScript } from '@millrace/redis';
import { waitFor } from '@millrace/testing';
import { IsInt } from 'class-validator';
import { PresenceRecord } from '../../src/group/presence-record.js';
import { type Process, signal, subscribe } from '../fixture.js';
import type { Step } from './keyed.js';
import { BY_KEY, Log, OrderedBed } from './ordered-bed.js';

const forgetDeath = loadScript('../../src/scripts/forget-death.lua', import.meta.url);
const bed = new OrderedBed('uncounted-deaths');

/** All things in one partition. */
@Topic<Single>('test.single', { key: ({ thing }) => `thing-${thing}` })
class Single {
  @IsInt() thing!: number;
  @IsInt() step!: number;
}

const TARGET = { topic: Single, group: 'g', ordering: BY_KEY } as const;

type Run = Process['redis']['control']['run'];

/** Has the scripts of a process run by a function, over whichever connection they go. */
function intercepts({ redis }: Process, around: (run: Run, ...call: Parameters<Run>) => ReturnType<Run>): void {
  for (const connection of [redis.control, redis.publish]) {
    const run = connection.run.bind(connection);
    connection.run = (...call) => around(run, ...call);
  }
}

/** Holds replies to a script, after Redis has done what it says. @returns a promise of the first one */
function holdsReplies(process: Process, name: string, until: Promise<void>): Promise<void> {
  const held = signal();
  intercepts(process, async (run, script, ...args) => {
    const reply = await run(script, ...args);
    if (script.name !== name) return reply;
    held.fire();
    await until;
    return reply;
  });
  return held.promise;
}

/** Resolves when Redis knows that the first member of the process stops. */
function saysThatItStops(process: Process): Promise<void> {
  const said = signal();
  intercepts(process, async (run, script, ...args) => {
    const reply = await run(script, ...args);
    const [, [words]] = args as [unknown, string[]];
    if (script.name === 'beat.lua' && new PresenceRecord(words!).isStopping(1)) said.fire();
    return reply;
  });
  return said.promise;
}

/** Handles all that is left. @returns what began */
async function handlesAll(process: Process): Promise<Log> {
  const log = new Log();
  await subscribe(process, TARGET, async (step: Step, ctx: DeliveryContext) => log.add(step, ctx));
  await bed.drained(process, Single, 'g');
  return log;
}

/** A process that vanishes with a message of each of so many things at work, each with another message behind it. */
async function dies(things = 1): Promise<void> {
  const [process, stuck] = [await bed.start(), signal()];
  for (let step = 0; step < 2; step += 1) {
    for (let thing = 0; thing < things; thing += 1) await process.publisher.publish(Single, { thing, step });
  }
  let begun = 0;
  await subscribe(process, TARGET, async () => {
    begun += 1;
    if (begun === things) stuck.fire();
    await new Promise(() => undefined);
  });
  await stuck.promise;
  process.vanish();
}

/** A process that takes the message which it begins first with it. */
async function diesWithNext(): Promise<void> {
  const [process, stuck] = [await bed.start(), signal()];
  await subscribe(process, TARGET, async () => {
    stuck.fire();
    await new Promise(() => undefined);
  });
  await stuck.promise;
  process.vanish();
}

/** A process that becomes the owner, and has read nothing when the work is done. */
async function inherits(work: (process: Process) => Promise<unknown>): Promise<void> {
  const [process, assigned, end] = [await bed.start(), signal(), signal()];
  const onAssigned = (): Promise<void> => {
    assigned.fire();
    return end.promise;
  };
  await subscribe(process, { ...TARGET, onAssigned }, () => Promise.resolve());
  await assigned.promise;
  await work(process);
  end.fire();
}

/** A process that becomes the owner, and stops before it has read anything. */
function passesOn(): Promise<void> {
  return inherits(({ streams }) => streams.stop(50));
}

/** The process is asked to stop, and vanishes before it has. */
async function isKilledAsItStops(process: Process): Promise<void> {
  const stops = saysThatItStops(process);
  void process.streams.stop(2_000);
  await stops;
  process.vanish();
}

describe('a death counts, though the next owner gives the partition up', () => {
  it('before it knows that it owns it', async () => {
    await dies();
    const heir = await bed.start();
    const stops = saysThatItStops(heir);
    const acquired = holdsReplies(heir, 'acquire.lua', stops);
    await subscribe(heir, TARGET, () => Promise.resolve());
    await acquired;
    await heir.streams.stop(1_000);
    expect((await handlesAll(await bed.start())).of(0)).toEqual(['0 1/1', '1 1/0']);
  });

  it('before it reads', async () => {
    await dies();
    await passesOn();
    expect((await handlesAll(await bed.start())).of(0)).toEqual(['0 1/1', '1 1/0']);
  });

  it('and so does one after it', async () => {
    await dies();
    await passesOn();
    await passesOn();
    expect((await handlesAll(await bed.start())).of(0)).toEqual(['0 1/1', '1 1/0']);
  });

  it('by its own death, when it had said that it stops', async () => {
    await dies();
    await inherits(isKilledAsItStops);
    expect((await handlesAll(await bed.start())).of(0)).toEqual(['0 1/1', '1 1/0']);
  });

  it('while it is paused, and has dropped what it had read', async () => {
    await dies(2);
    const [heir, log, began, go] = [await bed.start(), new Log(), signal(), signal()];
    const subscription = await subscribe(heir, TARGET, async (step: Step, ctx: DeliveryContext) => {
      log.add(step, ctx);
      if (log.lines.length > 1) return;
      began.fire();
      await go.promise;
    });
    await began.promise;
    // One that is new begins behind a read of all that is old.
    await heir.publisher.publish(Single, { thing: 9, step: 0 });
    await waitFor(() => log.of(9).length > 0, { what: 'the heir to have read all' });
    const paused = subscription.pause();
    go.fire();
    await paused;
    await heir.streams.stop(1_000);
    const { lines } = await handlesAll(await bed.start());
    expect([...log.lines, ...lines].filter((line) => /^[01]\.0/.test(line)).toSorted()).toEqual(['0.0 1/1', '1.0 1/1']);
  });
});

it('a death counts, though the answer is lost by which the next owner would learn that it owns the partition', async () => {
  await dies();
  const heir = await bed.start();
  let isLost = false;
  intercepts(heir, async (run, script, ...args) => {
    const reply = await run(script, ...args);
    if (script.name !== 'acquire.lua' || isLost) return reply;
    isLost = true;
    throw new Error('the answer is lost');
  });
  expect((await handlesAll(heir)).of(0)).toEqual(['0 1/1', '1 1/0']);
  expect(isLost).toBe(true);
});

it('a second death counts, though the next owner gives the partition up before it reads', async () => {
  await dies();
  await diesWithNext();
  await passesOn();
  expect((await handlesAll(await bed.start())).of(0)).toEqual(['0 1/2', '1 1/0']);
});

describe('a death counts once, though the next owner stops while a message begins that is alone after it', () => {
  it('and its time is up', async () => {
    await dies();
    const [heir, log, end] = [await bed.start(), new Log(), signal()];
    const marked = holdsReplies(heir, 'note.lua', end.promise);
    await subscribe(heir, TARGET, async (step: Step, ctx: DeliveryContext) => log.add(step, ctx));
    await marked;
    await heir.streams.stop(50);
    const { lines } = await handlesAll(await bed.start());
    end.fire();
    expect([log.lines, lines]).toEqual([[], ['0.0 1/1', '0.1 1/0']]);
  });

  it('and is killed before it has given the partition up, which another one has passed on to it', async () => {
    await dies();
    await passesOn();
    const [heir, log, end] = [await bed.start(), new Log(), signal()];
    const marked = holdsReplies(heir, 'note.lua', end.promise);
    await subscribe(heir, TARGET, async (step: Step, ctx: DeliveryContext) => log.add(step, ctx));
    await marked;
    await isKilledAsItStops(heir);
    const { lines } = await handlesAll(await bed.start());
    end.fire();
    expect([log.lines, lines]).toEqual([[], ['0.0 1/1', '0.1 1/0']]);
  });
});

it('a death that is counted counts for no message that came later, though its owner is killed as it stops', async () => {
  await dies();
  const [heir, stuck, end] = [await bed.start(), signal(), signal()];
  await subscribe(heir, TARGET, async ({ thing }: Step) => {
    if (thing === 0) return;
    stuck.fire();
    await end.promise;
  });
  await bed.drained(heir, Single, 'g');
  await heir.publisher.publish(Single, { thing: 1, step: 0 });
  await stuck.promise;
  await isKilledAsItStops(heir);
  const { lines } = await handlesAll(await bed.start());
  end.fire();
  expect(lines).toEqual(['1.0 1/0']);
});

it('a death is forgotten by its epoch: a call that comes late forgets no later one', async () => {
  const [process, { control }] = [await bed.start(), bed.place(Single, 'g').groupKeys];
  const forget = (epoch: number): Promise<unknown> => process.redis.publish.run(forgetDeath, [control], [epoch]);
  await bed.command('HSET', control, 'suspects', 5);
  expect([await forget(4), await forget(5), await forget(5)]).toEqual([0, 1, 0]);
});
