import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Topic, topicOf } from '@millrace/core';
import { connectServer } from '@millrace/redis';
import { waitFor } from '@millrace/testing';
import { IsInt } from 'class-validator';
import { Bed } from '../bed.js';
import { type Process, processOn, signal, subscribe } from '../fixture.js';
import { Step, stepsOf } from '../ordered/keyed.js';
import { heldBack } from './held-back.js';

@Topic<Forwarded>('test.forwarded-steps', { key: ({ thing }) => `thing-${thing}`, partitions: 2 })
class Forwarded {
  @IsInt() thing!: number;
  @IsInt() step!: number;
}

const [THINGS, STEPS] = [12, 3];

const bed = new Bed('forward-ordered');
let process: Process;
/** A member that settles, and sends nothing of it until `release` fires. */
let slow: Process;
let release: { readonly promise: Promise<void>; readonly fire: () => void };

async function start(leaseMs: number): Promise<void> {
  process = await bed.start({ leaseMs });
  for (const topic of [Step, Forwarded]) await process.streams.declare(topicOf(topic));
  const logs = [0, 1].map((partition) => bed.place(Forwarded, 'g', partition).keys.log);
  const redis = heldBack(await connectServer({ url: bed.url }), logs, release.promise);
  slow = processOn(redis, { prefix: bed.prefix, leaseMs });
}

beforeEach(() => void (release = signal()));
afterEach(async () => {
  release.fire();
  await slow.stop();
});

/** Forwards each step. @returns the things that it has handled */
async function forwardAll(member: Process): Promise<Set<number>> {
  const handled = new Set<number>();
  await subscribe(member, { topic: Step, group: 'g', ordering: { by: 'key' } }, async ({ thing, step }: Step, ctx) => {
    ctx.publish(Forwarded, { thing, step });
    handled.add(thing);
  });
  return handled;
}

/** The steps of each thing that are stored, in the order of their partition. */
async function stored(): Promise<number[][]> {
  const steps = Array.from({ length: THINGS }, (): number[] => []);
  for (const partition of [0, 1]) {
    const entries = (await bed.command('XRANGE', bed.place(Forwarded, 'g', partition).keys.log, '-', '+')) as [string, [string, string]][];
    const envelopes = entries.flatMap(([, [, text]]) => JSON.parse(text) as unknown[][]);
    for (const [, , , , , payload] of envelopes) steps[(payload as Step).thing]!.push((payload as Step).step);
  }
  return steps;
}

const isSettled = async (count: number): Promise<boolean> => {
  const { handled } = await bed.state(process, Step, 'g');
  if (handled !== count) throw new Error(`${handled} settled`);
  return true;
};
const whole = Array.from({ length: THINGS }, () => Array.from({ length: STEPS }, (_, step) => step));
const all = stepsOf(THINGS, STEPS);

/** The slow member has settled the first steps, and sent none. */
async function settledBySlow({ leaseMs }: { readonly leaseMs: number }): Promise<void> {
  await start(leaseMs);
  await forwardAll(slow);
  await process.publisher.publishMany(Step, all.slice(0, THINGS));
  await waitFor(() => isSettled(THINGS), { what: 'the first steps to be settled' });
  expect((await stored()).flat()).toEqual([]);
}

describe('Messages that an ordered group forwards', () => {
  it('keep the order of a key when its partition goes to another member before they are sent', async () => {
    await settledBySlow({ leaseMs: 30_000 });
    const handled = await forwardAll(process);
    for (let step = 1; step < STEPS; step += 1) {
      await waitFor(async () => (await owners()).size === 2, { what: 'two owners' });
      await process.publisher.publishMany(Step, all.slice(step * THINGS, (step + 1) * THINGS));
      await waitFor(() => isSettled((step + 1) * THINGS), { what: 'the next steps to be settled' });
    }
    await waitFor(async () => (await stored()).flat().length >= handled.size * 2, { what: 'the other member to have sent' });
    release.fire();
    await waitFor(async () => (await stored()).flat().length >= THINGS * STEPS, { what: 'all to be sent' });
    expect(handled.size).toBeGreaterThan(0);
    expect(await stored()).toEqual(whole);
  });

  it('keep the order of a key when the owner of its partition is gone before they are sent', async () => {
    await settledBySlow({ leaseMs: 1_000 });
    slow.vanish();
    await forwardAll(process);
    await process.publisher.publishMany(Step, all.slice(THINGS));
    await waitFor(async () => (await stored()).flat().length >= THINGS * STEPS, { what: 'all to be sent', timeoutMs: 30_000 });
    expect(await stored()).toEqual(whole);
  });
});

/** The members that own partitions. */
async function owners(): Promise<Set<string>> {
  const read = (partition: number): Promise<unknown> => bed.command('HGET', bed.place(Step, 'g', partition).groupKeys.control, 'owner');
  return new Set((await Promise.all([0, 1, 2, 3].map(read))).map(String));
}
