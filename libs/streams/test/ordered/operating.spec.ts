import { describe, expect, it } from '@jest/globals';
import { DeadLetter, type DeliveryContext, type EventMap, listen, type Ordering } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { type Process, signal, subscribe } from '../fixture.js';
import { Step, stepsOf } from './keyed.js';
import { BY_KEY, Log, OrderedBed, times } from './ordered-bed.js';

const bed = new OrderedBed('operating');
const TARGET = { topic: Step, group: 'g', ordering: BY_KEY } as const;

interface Given {
  readonly ordering?: Ordering | null;
  readonly leaseMs?: number;
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);
/** The first attempts of so many steps. */
const inOrder = (steps: number): string[] => upTo(steps).map((step) => `${step} 1/0`);

/** @param ordering null: in shared mode */
async function member(log: Log, { ordering = BY_KEY, leaseMs = 300 }: Given = {}): Promise<Process> {
  const process = await bed.start({ leaseMs });
  const target = { topic: Step, group: 'g', ...(ordering ? { ordering } : {}) };
  await subscribe(process, target, async (step: Step, ctx: DeliveryContext) => log.add(step, ctx));
  return process;
}

describe('an ordered group that is set to another position', () => {
  it('back: it handles all messages from there again, in their order, and knows that they are replayed', async () => {
    const log = new Log();
    const process = await member(log);
    await process.publisher.publishMany(Step, stepsOf(6, 5));
    await bed.drained(process, Step, 'g');
    log.lines.splice(0);
    const before = await bed.epochs();
    await process.streams.groups.seek(Step, 'g', { to: 'earliest' });
    await bed.drained(process, Step, 'g');
    for (const thing of [0, 1, 2, 3, 4, 5]) expect(log.of(thing)).toEqual(inOrder(5).map((line) => `${line} replayed`));
    // An owner from before the seek that does not know of it can settle nothing there.
    expect(await bed.epochs()).toEqual(before.map((epoch) => epoch + 1));
  });

  it('back, while messages wait for another attempt: they begin anew, in their turn', async () => {
    const [process, log] = [await bed.start(), new Log()];
    let isIll = true;
    await subscribe(process, { ...TARGET, retry: times(9, '1h') }, async (step: Step, ctx: DeliveryContext) => {
      log.add(step, ctx);
      if (isIll && step.step === 2) throw new Error('not yet');
    });
    await process.publisher.publishMany(Step, stepsOf(3, 4));
    await waitFor(async () => (await bed.notes()).length === 3, { what: 'three attempts to be noted' });
    isIll = false;
    await process.streams.groups.seek(Step, 'g', { to: { offset: 0 } });
    await bed.drained(process, Step, 'g');
    const again = (thing: number): string[] => log.of(thing).slice(3).map((line) => line.replace(' replayed', ''));
    for (const thing of [0, 1, 2]) expect(again(thing)).toEqual(inOrder(4));
    expect(await bed.notes()).toEqual([]);
  });

  it('back, while a redriven message waits for another attempt: nothing is left of it', async () => {
    const process = await bed.start();
    let fails: Error | null = new DeadLetter('no');
    await subscribe(process, { ...TARGET, retry: times(2, '1h') }, async () => {
      if (fails) throw fails;
    });
    await process.publisher.publish(Step, { thing: 0, step: 0 });
    await bed.drained(process, Step, 'g');
    fails = new Error('not yet');
    await process.streams.deadLetters.redrive(Step, 'g', { all: true });
    await waitFor(async () => (await bed.notes()).length === 1, { what: 'an attempt to be noted' });
    fails = null;
    await process.streams.groups.seek(Step, 'g', { to: 'earliest' });
    await bed.drained(process, Step, 'g');
    expect(await bed.notes()).toEqual([]);
  });

  it('forward: it handles what follows alone', async () => {
    const log = new Log();
    const process = await member(log);
    await process.streams.groups.pause(Step, 'g');
    await process.publisher.publishMany(Step, stepsOf(3, 4));
    await process.streams.groups.seek(Step, 'g', { to: 'latest' });
    await process.streams.groups.resume(Step, 'g');
    await process.publisher.publishMany(Step, stepsOf(3, 6).slice(12));
    await bed.drained(process, Step, 'g');
    for (const thing of [0, 1, 2]) expect(log.of(thing)).toEqual(['4 1/0', '5 1/0']);
  });

  it('while its owner stands still: what that one settles is refused, and the next owner handles them in order', async () => {
    const [{ process: frozen, proxy }, log, began, go] = [await bed.startBehindProxy(), new Log(), signal(), signal()];
    await subscribe(frozen, TARGET, async () => {
      began.fire();
      await go.promise;
    });
    const admin = await bed.start();
    await admin.publisher.publishMany(Step, stepsOf(1, 3));
    await began.promise;
    proxy.blackHole();
    await admin.streams.groups.seek(Step, 'g', { to: 'earliest', within: '5s' });
    const second = await bed.start();
    await subscribe(second, TARGET, async (step: Step, ctx: DeliveryContext) => log.add(step, ctx));
    await log.until(3);
    go.fire();
    await proxy.pass();
    await bed.drained(admin, Step, 'g');
    expect(log.of(0).map((line) => line.split(' ')[0])).toEqual(['0', '1', '2']);
    expect(await bed.state(admin, Step, 'g')).toMatchObject({ lag: 0, pending: 0 });
  });
});

describe('an ordered group that is paused', () => {
  it('begins nothing, and goes on in its order', async () => {
    const log = new Log();
    const process = await member(log);
    expect(await process.streams.groups.pause(Step, 'g')).toEqual({ busy: [] });
    await process.publisher.publishMany(Step, stepsOf(3, 5));
    expect(log.lines).toEqual([]);
    await process.streams.groups.resume(Step, 'g');
    await bed.drained(process, Step, 'g');
    for (const thing of [0, 1, 2]) expect(log.of(thing)).toEqual(inOrder(5));
  });
});

describe('an ordered group that is lost, and made again', () => {
  it.each(['XGROUP DESTROY', 'FLUSHALL'])('by %s: settled messages are not handled again, and the order holds', async (how) => {
    const log = new Log();
    const process = await member(log);
    await process.publisher.publishMany(Step, stepsOf(4, 5));
    await bed.drained(process, Step, 'g');
    if (how === 'FLUSHALL') await bed.command('FLUSHALL');
    else for (const { streams: [{ key }] } of bed.places) await bed.command('XGROUP', 'DESTROY', key, 'g');
    const publish = (): Promise<unknown> => process.publisher.publishMany(Step, stepsOf(4, 10).slice(20));
    await waitFor(() => publish().then(() => true, () => false), { what: 'the topic to be there again' });
    await log.until(40);
    await bed.drained(process, Step, 'g');
    for (const thing of [0, 1, 2, 3]) expect(log.of(thing)).toEqual(inOrder(10));
  });
});

describe('all living members of a group have one order', () => {
  it.each([
    [null, BY_KEY],
    [BY_KEY, null],
    [BY_KEY, { by: 'partition' }],
  ] as const)('%j lives: %j is refused', async (one, other) => {
    await member(new Log(), { ordering: one });
    await expect(member(new Log(), { ordering: other })).rejects.toMatchObject({ code: 'ORDERING_MISMATCH' });
  });

  it('and one that waits to know whether they live says so at once, and waits no longer when it is stopped', async () => {
    const waits: EventMap['start-waits'][] = [];
    const unlisten = listen('start-waits', (event) => waits.push(event));
    await member(new Log(), { ordering: null, leaseMs: 60_000 });
    const second = await bed.start({ leaseMs: 60_000 });
    const refused = subscribe(second, TARGET, async () => undefined).then(() => null, (error: unknown) => error);
    await waitFor(() => waits.length > 0, { what: 'it to say that it waits' });
    unlisten();
    await second.stop();
    expect(await refused).toMatchObject({ code: 'CLOSED' });
    const why = 'The group works without an order, and this process would work in order by key.';
    expect(waits).toEqual([{ topic: 'test.steps', group: 'g', members: [expect.any(String)], forMs: 90_000, why }]);
  });

  it('and may have another one when those have died', async () => {
    const [shared, log] = [await member(new Log(), { ordering: null }), new Log()];
    shared.vanish();
    const ordered = await member(log);
    await ordered.publisher.publishMany(Step, stepsOf(3, 3));
    await bed.drained(ordered, Step, 'g');
    for (const thing of [0, 1, 2]) expect(log.of(thing)).toEqual(['0 1/0', '1 1/0', '2 1/0']);
  });

  it('and what one order has left is handled in the next one', async () => {
    const [shared, log] = [await bed.start(), new Log()];
    await subscribe(shared, { topic: Step, group: 'g', retry: times(5, '1h') }, async () => {
      throw new Error('not yet');
    });
    await shared.publisher.publishMany(Step, stepsOf(4, 1));
    await waitFor(async () => (await bed.state(shared, Step, 'g')).retrying === 4, { what: 'all to wait' });
    await shared.stop();
    for (const { groupKeys: { due } } of bed.places) {
      for (const name of (await bed.command('ZRANGE', due, 0, -1)) as string[]) await bed.command('ZADD', due, 1, name);
    }
    const ordered = await member(log);
    await bed.drained(ordered, Step, 'g');
    expect(log.lines.map((line) => line.split('/')[0]).sort()).toEqual(['0.0 2', '1.0 2', '2.0 2', '3.0 2']);
    await ordered.publisher.publishMany(Step, stepsOf(4, 2).slice(4));
    await bed.drained(ordered, Step, 'g');
    await ordered.stop();
    const again = await member(log, { ordering: null });
    await again.publisher.publishMany(Step, stepsOf(4, 3).slice(8));
    await bed.drained(again, Step, 'g');
    expect(log.lines.length).toBe(12);
  });
});

it('R25 dead letters that are redriven twice are handled once more each, and the group goes on', async () => {
  const [process, log] = [await bed.start(), new Log()];
  let isIll = true;
  await subscribe(process, TARGET, async (step: Step, ctx: DeliveryContext) => {
    log.add(step, ctx);
    if (isIll && step.step === 1) throw new Error('never');
  });
  await process.publisher.publishMany(Step, stepsOf(2, 3));
  await bed.drained(process, Step, 'g');
  isIll = false;
  const redrive = (): Promise<unknown> => process.streams.deadLetters.redrive(Step, 'g', { all: true });
  await Promise.all([redrive(), redrive()]);
  await bed.drained(process, Step, 'g');
  for (const thing of [0, 1]) expect(log.of(thing).map((line) => line.split(' ')[0])).toEqual(['0', '1', '2', '1']);
  expect([await bed.deadLetters(process, Step, 'g'), await bed.notes()]).toEqual([[], []]);
});

it('50 members share 4 partitions: all messages are handled once, in order', async () => {
  const log = new Log();
  const members = await Promise.all(Array.from({ length: 50 }, () => member(log, { leaseMs: 3_000 })));
  await members[0]!.publisher.publishMany(Step, stepsOf(10, 10));
  await bed.drained(members[0]!, Step, 'g');
  for (let thing = 0; thing < 10; thing += 1) expect(log.of(thing)).toEqual(inOrder(10));
});

it('R24 a member joins and leaves while partitions are drained: the order holds, and nothing runs twice', async () => {
  const [log, gate] = [new Log(), signal()];
  const first = await bed.start();
  await subscribe(first, TARGET, async (step: Step, ctx: DeliveryContext) => {
    log.add(step, ctx);
    if (step.step === 0) await gate.promise;
  });
  await first.publisher.publishMany(Step, stepsOf(12, 4));
  await log.until(12);
  for (let round = 0; round < 2; round += 1) {
    const second = await member(log);
    // The first member has seen it when it has begun to drain: it acts on members that were the same for a beat.
    const seenAt = performance.now() + 400;
    await waitFor(() => performance.now() > seenAt, { what: 'more than a lease to pass' });
    if (round === 1) gate.fire();
    await second.stop();
  }
  await bed.drained(first, Step, 'g');
  for (let thing = 0; thing < 12; thing += 1) expect(log.of(thing)).toEqual(['0 1/0', '1 1/0', '2 1/0', '3 1/0']);
});
