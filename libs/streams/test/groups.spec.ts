import { describe, expect, it, jest } from '@jest/globals';
import { type DeliveryContext, fixed } from '@millrace/core';
import { loadScript } from '@millrace/redis';
import type { SeekOptions } from '@millrace/streams';
import { waitFor } from '@millrace/testing';
import { Bed } from './bed.js';
import { type Process, signal, silence, subscribe } from './fixture.js';
import { Numbered, numbers, Single } from './topics.js';

type Value = { value: number };

/** More than two members handle before they see a pause. */
const TOTAL = 1_000;

const seek = loadScript('../src/scripts/seek.lua', import.meta.url);
const bed = new Bed('groups');
const values = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);

class Listener {
  readonly seen: { value: number; replayed: boolean }[] = [];
  readonly handle = async ({ value }: Value, { replayed }: DeliveryContext): Promise<void> => {
    this.seen.push({ value, replayed });
  };

  get values(): number[] {
    return this.seen.map(({ value }) => value).sort((a, b) => a - b);
  }
}

async function caughtUp(count: number): Promise<{ process: Process; listener: Listener }> {
  const process = await bed.start();
  const listener = new Listener();
  await process.publisher.publishMany(Single, numbers(count));
  await subscribe(process, { topic: Single, group: 'g' }, listener.handle);
  await bed.drained(process, Single, 'g');
  return { process, listener };
}

/** Adds a message to `again`, as if it was put back. */
function comesBack(value: number): Promise<unknown> {
  const body = JSON.stringify([value, 1, 0, null, `[1,"id",null,null,null,{"value":${value}}]`]);
  return bed.command('XADD', bed.place(Single, 'g').groupKeys.again, '*', 'r', body);
}

describe('a pause of the group', () => {
  it('waits for a member that was given no entry of the log, and holds another attempt', async () => {
    const [member, admin, began] = [await bed.start(), await bed.start(), signal()];
    await subscribe(member, { topic: Single, group: 'g' }, () => {
      began.fire();
      return new Promise(() => undefined);
    });
    await comesBack(1);
    await began.promise;
    const { busy } = await admin.streams.groups.pause(Single, 'g', { within: '100ms' });
    expect(busy).toHaveLength(1);
  });

  it('waits for a member that counted as dead and came back, whether it holds messages or not', async () => {
    const { process: slow, proxy } = await bed.startBehindProxy();
    const other = await bed.start();
    const [began, again, taken, aborted] = [signal(), signal(), signal(), signal()];
    await subscribe(slow, { topic: Single, group: 'g' }, async ({ value }: Value, { signal: abort }: DeliveryContext) => {
      abort.addEventListener('abort', () => aborted.fire());
      (value === 1 ? began : again).fire();
      await new Promise(() => undefined);
    });
    await other.publisher.publish(Single, { value: 1 });
    await began.promise;
    proxy.blackHole();
    const subscription = await subscribe(other, { topic: Single, group: 'g' }, async () => taken.fire());
    await taken.promise;
    await proxy.pass();
    await aborted.promise;
    await subscription.stop(1_000);
    await comesBack(7);
    await again.promise;
    const { busy } = await other.streams.groups.pause(Single, 'g', { within: '100ms' });
    expect(busy).toHaveLength(1);
  });

  it('pauses every member until it is lifted, and resolves when no handler is at work', async () => {
    const [one, two] = [await bed.start(), await bed.start()];
    let running = 0;
    const handled: number[] = [];
    const handle = async ({ value }: Value): Promise<void> => {
      running += 1;
      await new Promise((resolve) => setTimeout(resolve, 5));
      running -= 1;
      handled.push(value);
    };
    for (const process of [one, two]) await subscribe(process, { topic: Numbered, group: 'g', concurrency: 2 }, handle);
    const publishing = one.publisher.publishMany(Numbered, numbers(TOTAL));
    await waitFor(() => handled.length > 20, { what: 'some to be handled' });
    expect(await two.streams.groups.pause(Numbered, 'g')).toEqual({ busy: [] });
    expect(running).toBe(0);
    const count = handled.length;
    expect(count).toBeLessThan(TOTAL);
    await publishing;
    const { pending, lag } = await bed.state(one, Numbered, 'g');
    expect([pending, lag]).toEqual([0, TOTAL - count]);
    const late = await bed.start();
    await subscribe(late, { topic: Numbered, group: 'g', concurrency: 2 }, handle);
    expect(handled).toHaveLength(count);
    expect(await one.streams.groups.isPaused(Numbered, 'g')).toBe(true);
    await one.streams.groups.resume(Numbered, 'g');
    await bed.drained(one, Numbered, 'g');
    expect(handled.sort((a, b) => a - b)).toEqual(values(0, TOTAL));
    expect(await one.streams.groups.isPaused(Numbered, 'g')).toBe(false);
  });

  it('names the members that do not finish, and stays in force', async () => {
    const process = await bed.start();
    const hold = signal();
    const seen: number[] = [];
    const subscription = await subscribe(process, { topic: Single, group: 'g', concurrency: 1 }, async ({ value }: Value) => {
      seen.push(value);
      await hold.promise;
    });
    await process.publisher.publishMany(Single, numbers(3));
    await waitFor(() => seen.length === 1, { what: 'the first to begin' });
    expect((await process.streams.groups.pause(Single, 'g', { within: '20ms' })).busy).toHaveLength(1);
    await waitFor(() => subscription.pausedBy.includes('group'), { what: 'the member to see it' });
    hold.fire();
    expect(await process.streams.groups.pause(Single, 'g')).toEqual({ busy: [] });
    expect(seen).toEqual([0]);
    await process.streams.groups.resume(Single, 'g');
    await bed.drained(process, Single, 'g');
    expect(seen).toHaveLength(3);
  });

  it('does not end with the pause of a seek, whether the seek ends or has vanished', async () => {
    const process = await bed.start();
    const { groups } = process.streams;
    const hold = signal();
    let isRunning = false;
    await subscribe(process, { topic: Single, group: 'g' }, async () => {
      isRunning = true;
      await hold.promise;
    });
    await bed.command('HSET', bed.place(Single, 'g').groupKeys.control, 'paused', 'of a seek that vanished', 'until', 1);
    expect(await groups.isPaused(Single, 'g')).toBe(false);
    await process.publisher.publish(Single, { value: 0 });
    await waitFor(() => isRunning, { what: 'it to be in hand' });
    const seeking = groups.seek(Single, 'g', { to: 'earliest' });
    await waitFor(() => groups.isPaused(Single, 'g'), { what: 'the seek to pause the group' });
    const pausing = groups.pause(Single, 'g');
    const [control, ends] = [bed.place(Single, 'g').groupKeys.control, Number.MAX_SAFE_INTEGER];
    await waitFor(async () => Number(await bed.command('HGET', control, 'until')) === ends, { what: 'the pause' });
    hold.fire();
    expect(await pausing).toEqual({ busy: [] });
    expect(await seeking).toHaveLength(1);
    expect(await groups.isPaused(Single, 'g')).toBe(true);
    expect((await bed.state(process, Single, 'g')).lag).toBe(1);
    await groups.resume(Single, 'g');
    await bed.drained(process, Single, 'g');
  });

  it('does not know a group that never subscribed', async () => {
    const process = await bed.start();
    await expect(process.streams.groups.pause(Single, 'nobody')).rejects.toMatchObject({ code: 'UNKNOWN_GROUP' });
  });
});

describe('a pause of one process', () => {
  it('puts back the messages that it has not begun, and does not pause other processes', async () => {
    const [one, two] = [await bed.start(), await bed.start()];
    const seen: string[] = [];
    const hold = signal();
    const subscription = await subscribe(one, { topic: Single, group: 'g', concurrency: 1 }, async ({ value }: Value) => {
      seen.push(`one ${value}`);
      await hold.promise;
    });
    await one.publisher.publish(Single, { value: 0 });
    await waitFor(() => seen.length === 1, { what: 'the first to begin' });
    const paused = subscription.pause();
    expect(subscription.pausedBy).toEqual(['process']);
    await subscribe(two, { topic: Single, group: 'g' }, async ({ value }: Value) => void seen.push(`two ${value}`));
    await one.publisher.publishMany(Single, numbers(5).slice(1));
    await waitFor(() => seen.length === 5, { what: 'the other to handle the rest' });
    hold.fire();
    await paused;
    expect(seen.sort()).toEqual(['one 0', 'two 1', 'two 2', 'two 3', 'two 4']);
    subscription.resume();
    await two.stop();
    await one.publisher.publish(Single, { value: 5 });
    await waitFor(() => seen.includes('one 5'), { what: 'it to go on' });
  });
});

describe('seeking', () => {
  it.each<[string, SeekOptions['to'], number]>([
    ['the earliest', 'earliest', 0],
    ['an offset', { offset: 4 }, 4],
  ])('back to %s handles all messages from there again, marked as replayed, and no others', async (_, to, first) => {
    const { process, listener } = await caughtUp(10);
    listener.seen.splice(0);
    const [preview] = await process.streams.groups.seek(Single, 'g', { to, preview: true });
    expect(preview).toEqual({ partition: 0, from: 10, to: first, again: 10 - first, skipped: 0, retriesDropped: 0 });
    expect(listener.seen).toEqual([]);
    expect(await process.streams.groups.seek(Single, 'g', { to })).toEqual([preview]);
    await process.publisher.publish(Single, { value: 10 });
    await bed.drained(process, Single, 'g');
    expect(listener.values).toEqual(values(first, 11));
    for (const { value, replayed } of listener.seen) expect({ value, replayed }).toEqual({ value, replayed: value < 10 });
  });

  it('forward skips undelivered messages, and does not count them any more', async () => {
    const process = await bed.start();
    const listener = new Listener();
    const { groups } = process.streams;
    await process.publisher.publishMany(Single, numbers(3));
    await subscribe(process, { topic: Single, group: 'g' }, listener.handle);
    await bed.drained(process, Single, 'g');
    await groups.pause(Single, 'g');
    await process.publisher.publishMany(Single, numbers(10).slice(3));
    expect((await bed.state(process, Single, 'g')).lag).toBe(7);
    expect(await groups.seek(Single, 'g', { to: { offset: 8 } })).toEqual([{ partition: 0, from: 3, to: 8, again: 0, skipped: 5, retriesDropped: 0 }]);
    expect((await bed.state(process, Single, 'g')).lag).toBe(2);
    expect(listener.seen).toHaveLength(3);
    await groups.resume(Single, 'g');
    await bed.drained(process, Single, 'g');
    expect(listener.values).toEqual([0, 1, 2, 8, 9]);
  });

  it('does not wait for messages that are removed between the look at the log and the move', async () => {
    const { process } = await caughtUp(10);
    const { log } = bed.place(Single, 'g').keys;
    const { control } = process.redis;
    const run = control.run.bind(control);
    jest.spyOn(control, 'run').mockImplementation(async (script, keys, args) => {
      if (script.source === seek.source) await bed.command('XTRIM', log, 'MAXLEN', 4);
      return run(script, keys, args);
    });
    const [step] = await process.streams.groups.seek(Single, 'g', { to: 'earliest' });
    expect(step).toMatchObject({ from: 10, to: 6, again: 4 });
    await bed.drained(process, Single, 'g');
    expect(await bed.state(process, Single, 'g')).toMatchObject({ handled: 14, lost: 0 });
  });

  it('again, before the first replay is delivered, still knows which messages were delivered before', async () => {
    const { process, listener } = await caughtUp(10);
    const { groups } = process.streams;
    await groups.pause(Single, 'g');
    await groups.seek(Single, 'g', { to: 'earliest' });
    await groups.seek(Single, 'g', { to: { offset: 5 } });
    listener.seen.length = 0;
    await groups.resume(Single, 'g');
    await bed.drained(process, Single, 'g');
    expect(listener.values).toEqual(values(5, 10));
    expect(listener.seen.every(({ replayed }) => replayed)).toBe(true);
  });

  it('is known to a member that stood still meanwhile, before it hands out the messages that it reads', async () => {
    const [admin, member] = [await bed.start({ leaseMs: 3_000 }), await bed.start({ leaseMs: 3_000 })];
    const listener = new Listener();
    await admin.publisher.publishMany(Single, numbers(5));
    await subscribe(member, { topic: Single, group: 'g' }, listener.handle);
    await bed.drained(member, Single, 'g');
    const goOn = signal();
    const speak = silence(member);
    const { publish } = member.redis;
    const run = publish.run.bind(publish);
    jest.spyOn(publish, 'run').mockImplementation(async (script, keys, args) => {
      if (script.name === 'watch-group.lua') await goOn.promise;
      return run(script, keys, args);
    });
    listener.seen.length = 0;
    await admin.streams.groups.seek(Single, 'g', { to: 'earliest' });
    speak();
    await waitFor(() => listener.seen.length === 5, { what: 'all to be given again' });
    expect(listener.seen.every(({ replayed }) => replayed)).toBe(true);
    goOn.fire();
  });

  it('one partition leaves the others where they are', async () => {
    const process = await bed.start();
    const listener = new Listener();
    await subscribe(process, { topic: Numbered, group: 'g' }, listener.handle);
    const results = await process.publisher.publishMany(Numbered, numbers(60));
    await bed.drained(process, Numbered, 'g');
    listener.seen.splice(0);
    await process.streams.groups.seek(Numbered, 'g', { to: 'earliest', partition: 1 });
    await bed.drained(process, Numbered, 'g');
    expect(listener.values).toEqual(values(0, 60).filter((value) => results[value]!.partition === 1));
    await expect(process.streams.groups.seek(Numbered, 'g', { to: 'earliest', partition: 3 })).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
  });

  it('keeps messages that wait for another attempt before the position, and replaces those behind it', async () => {
    const process = await bed.start();
    const handled: number[] = [];
    let ill = true;
    const retry = { attempts: 5, backoff: fixed('400ms'), deadLetterOn: [] };
    await subscribe(process, { topic: Single, group: 'g', retry }, async ({ value }: Value) => {
      if (ill && (value === 2 || value === 7)) throw new Error('ill');
      handled.push(value);
    });
    await process.publisher.publishMany(Single, numbers(10));
    await waitFor(async () => (await bed.state(process, Single, 'g')).retrying === 2, { what: 'two to wait' });
    await process.streams.groups.pause(Single, 'g');
    ill = false;
    const [step] = await process.streams.groups.seek(Single, 'g', { to: { offset: 5 } });
    expect(step).toMatchObject({ again: 5, retriesDropped: 1 });
    expect((await bed.state(process, Single, 'g')).lag).toBe(6);
    await process.streams.groups.resume(Single, 'g');
    await bed.drained(process, Single, 'g');
    expect(handled.sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 5, 6, 6, 7, 8, 8, 9, 9]);
  });

  it('does not take from a living member the messages that it holds', async () => {
    const process = await bed.start();
    const hold = signal();
    const seen: number[] = [];
    await subscribe(process, { topic: Single, group: 'g', concurrency: 1 }, async ({ value }: Value) => {
      seen.push(value);
      await hold.promise;
    });
    await process.publisher.publishMany(Single, numbers(3));
    await waitFor(() => seen.length === 1, { what: 'the first to begin' });
    await expect(process.streams.groups.seek(Single, 'g', { to: 'earliest', within: '50ms' })).rejects.toMatchObject({ code: 'GROUP_BUSY' });
    expect(await process.streams.groups.isPaused(Single, 'g')).toBe(false);
    hold.fire();
    await bed.drained(process, Single, 'g');
    expect(seen).toEqual([0, 1, 2]);
  });

  it('counts the messages of a vanished member exactly, before and behind the position', async () => {
    const gone = await bed.start();
    await subscribe(gone, { topic: Single, group: 'g', concurrency: 4 }, () => new Promise(() => undefined));
    await gone.publisher.publishMany(Single, numbers(10));
    await waitFor(async () => (await bed.pending(Single, 'g')).length === 4, { what: 'four to be in hand' });
    gone.vanish();
    const admin = await bed.start();
    await waitFor(async () => (await admin.streams.groups.seek(Single, 'g', { to: { offset: 2 } })).length === 1, { what: 'the seek' });
    expect((await bed.state(admin, Single, 'g')).lag).toBe(10);
    const listener = new Listener();
    await subscribe(admin, { topic: Single, group: 'g' }, listener.handle);
    await bed.drained(admin, Single, 'g');
    expect(listener.values).toEqual(values(0, 10));
  });

  it('inside an entry of several messages delivers only the messages from there on', async () => {
    const process = await bed.start({ messagesPerEntry: 4 });
    const listener = new Listener();
    await process.publisher.publishMany(Single, numbers(12));
    await subscribe(process, { topic: Single, group: 'g' }, listener.handle);
    await bed.drained(process, Single, 'g');
    listener.seen.splice(0);
    await process.streams.groups.seek(Single, 'g', { to: { offset: 6 } });
    await bed.drained(process, Single, 'g');
    expect(listener.values).toEqual(values(6, 12));
  });

  it('loses and doubles no message that is published meanwhile, with several members', async () => {
    const [one, two] = [await bed.start(), await bed.start()];
    const listener = new Listener();
    for (const process of [one, two]) await subscribe(process, { topic: Numbered, group: 'g' }, listener.handle);
    await one.publisher.publishMany(Numbered, numbers(200));
    await bed.drained(one, Numbered, 'g');
    listener.seen.splice(0);
    const [, results] = await Promise.all([
      two.streams.groups.seek(Numbered, 'g', { to: 'earliest' }),
      one.publisher.publishMany(Numbered, values(200, 400).map((value) => ({ payload: { value } }))),
    ]);
    expect(results).toHaveLength(200);
    await bed.drained(one, Numbered, 'g');
    expect([...new Set(listener.values)]).toEqual(values(0, 400));
    expect(listener.values.filter((value) => value < 200)).toHaveLength(200);
  });
});
