import { afterEach, describe, expect, it } from '@jest/globals';
import { type DeliveryContext, fixed, listen } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { HANDLED } from '../src/consume/settlement.js';
import { Settler } from '../src/consume/settler.js';
import { OutcomeRoutes } from '../src/durable/outcome-routes.js';
import { deliveriesOf } from '../src/consume/pending-delivery.js';
import { type PartitionKeys, settledKey } from '../src/keys.js';
import { Bed } from './bed.js';
import { signal, subscribe } from './fixture.js';
import { heldWith } from './held-with.js';
import { numbers, Numbered, Single, Wide } from './topics.js';

type Value = { value: number };

const bed = new Bed('faults', { appendonly: 'always' });
const heard: (() => void)[] = [];
afterEach(() => heard.splice(0).forEach((stop) => stop()));

const retry = { attempts: 3, backoff: fixed('5ms'), deadLetterOn: [] };

describe('F14 a key is lost while messages flow', () => {
  it.each(['log', 'meta', 'groups', 'again', 'due', 'stats', 'begun'] as const)('%s: what is published later is handled', async (name) => {
    const [publisher, one, two] = [await bed.start(), await bed.start(), await bed.start()];
    const seen = new Set<number>();
    const handle = async ({ value }: Value, ctx: DeliveryContext): Promise<void> => {
      if (value % 3 === 0 && ctx.attempt === 1) throw new Error('once');
      seen.add(value);
    };
    const subscriptions = await Promise.all([one, two].map((process) => subscribe(process, { topic: Single, group: 'g', retry }, handle)));
    await publisher.publisher.publishMany(Single, numbers(50));
    const { keys, groupKeys } = bed.place(Single, 'g');
    await bed.command('DEL', { ...keys, ...groupKeys, ids: '' }[name]);
    const later = numbers(150).slice(100);
    for (const { payload } of later) await publisher.publisher.publish(Single, payload);
    await waitFor(() => later.every(({ payload }) => seen.has(payload.value)), { what: 'the later ones to be handled' });
    await waitFor(() => subscriptions.every((subscription) => subscription.problem() === null), { what: 'all to be well' });
    expect((await bed.state(publisher, Single, 'g')).lag).toBeGreaterThanOrEqual(0);
  });

  it('log and meta together: the offsets begin anew, and none of them counts as settled already', async () => {
    const process = await bed.start();
    const { keys } = bed.place(Single, 'g');
    const seen: number[] = [];
    await subscribe(process, { topic: Single, group: 'g' }, async ({ value }: Value) => void seen.push(value));
    await process.publisher.publishMany(Single, numbers(10));
    await bed.drained(process, Single, 'g');
    await bed.command('DEL', keys.log, keys.meta);
    seen.splice(0);
    await process.publisher.publishMany(Single, numbers(10));
    await waitFor(() => seen.length >= 10, { what: 'all to be handled' });
    await bed.drained(process, Single, 'g');
    expect(seen.sort((a, b) => a - b)).toEqual(numbers(10).map(({ payload }) => payload.value));
    expect(await bed.state(process, Single, 'g')).toMatchObject({ lost: 0, lag: 0 });
  });

  it('log and meta together, with copies left: no new message is taken for the earlier one with its offset', async () => {
    const process = await bed.start();
    const { keys, groupKeys } = bed.place(Single, 'g');
    const seen: string[] = [];
    const first = await subscribe(process, { topic: Single, group: 'g' }, async () => undefined);
    await first.stop(1_000);
    await bed.command('XADD', groupKeys.again, '*', 'r', JSON.stringify([0, 2, 0, null, '[1,"earlier",null,null,null,{"value":1}]']));
    await bed.command('DEL', keys.log, keys.meta);
    await process.publisher.publish(Single, { value: 2 });
    await subscribe(process, { topic: Single, group: 'g', retry }, async ({ value }: Value, { attempt }) => {
      seen.push(`${value} ${attempt}`);
      if (attempt === 1) throw new Error('once');
    });
    await bed.drained(process, Single, 'g');
    expect(seen).toEqual(['2 1', '2 2']);
  });

  it.each<[string, 'idle' | 'busy', (keys: PartitionKeys) => string[]]>([
    ['log and meta together', 'idle', ({ log, meta }) => ['DEL', log, meta]],
    ['everything', 'idle', () => ['FLUSHALL']],
    ['everything, while a member has no free slot', 'busy', () => ['FLUSHALL']],
  ])('after an earlier seek, %s: no new message is taken for an earlier one', async (_, how, loss) => {
    const leaseMs = 3_000;
    const [publisher, one, two] = [await bed.start({ leaseMs }), await bed.start({ leaseMs }), await bed.start({ leaseMs })];
    const [full, go] = [signal(), signal()];
    const seen: string[] = [];
    await subscribe(one, { topic: Single, group: 'g', concurrency: 1 }, async ({ value }: Value, { replayed }) => {
      seen.push(`${value} ${replayed}`);
      if (value !== 100) return;
      full.fire();
      await go.promise;
    });
    await publisher.publisher.publishMany(Single, numbers(10));
    await bed.drained(publisher, Single, 'g');
    await publisher.streams.groups.seek(Single, 'g', { to: 'earliest' });
    await bed.drained(publisher, Single, 'g');
    expect(seen.slice(10)).toEqual(numbers(10).map(({ payload }) => `${payload.value} true`));
    if (how === 'busy') await publisher.publisher.publish(Single, { value: 100 }).then(() => full.promise);
    const [command = '', ...keys] = loss(bed.place(Single, 'g').keys);
    await bed.command(command, ...keys);
    seen.splice(0);
    // Another member makes the group again before the busy one looks.
    if (how === 'busy') await subscribe(two, { topic: Single, group: 'g' }, async () => undefined).then((other) => other.stop(100));
    go.fire();
    await publisher.publisher.publishMany(Single, numbers(10));
    await waitFor(() => seen.length >= 10, { what: 'all to be handled' });
    expect(seen.sort()).toEqual(numbers(10).map(({ payload }) => `${payload.value} false`));
    expect(await bed.command('HMGET', bed.place(Single, 'g').groupKeys.control, 'replays', 'replayFrom', 'replayUntil')).toEqual([null, null, null]);
  });

  it('XGROUP DESTROY: nothing is lost, and settled messages are not handled again', async () => {
    const [publisher, member] = [await bed.start(), await bed.start({ leaseMs: 3_000 })];
    const counts = new Map<number, number>();
    const handle = async ({ value }: Value): Promise<void> => void counts.set(value, (counts.get(value) ?? 0) + 1);
    await subscribe(member, { topic: Single, group: 'g', concurrency: 4 }, handle);
    await publisher.publisher.publishMany(Single, numbers(500));
    await bed.drained(publisher, Single, 'g');
    await bed.command('XGROUP', 'DESTROY', bed.place(Single, 'g').keys.log, 'g');
    await publisher.publisher.publish(Single, { value: 500 });
    await waitFor(() => counts.has(500), { what: 'the new message' });
    await bed.drained(publisher, Single, 'g');
    expect([...counts.values()].filter((count) => count > 1)).toEqual([]);
    expect(counts.size).toBe(501);
  });

  it('XGROUP DESTROY without a living member: the next member does not handle settled messages again', async () => {
    const [publisher, first, next] = [await bed.start(), await bed.start(), await bed.start()];
    const seen: string[] = [];
    await subscribe(first, { topic: Single, group: 'g' }, async ({ value }: Value) => void seen.push(`first ${value}`));
    await publisher.publisher.publishMany(Single, numbers(3));
    await bed.drained(publisher, Single, 'g');
    await first.stop();
    await bed.command('XGROUP', 'DESTROY', bed.place(Single, 'g').keys.log, 'g');
    await publisher.publisher.publish(Single, { value: 3 });
    await subscribe(next, { topic: Single, group: 'g' }, async ({ value }: Value) => void seen.push(`next ${value}`));
    await bed.drained(publisher, Single, 'g');
    expect(seen).toEqual(['first 0', 'first 1', 'first 2', 'next 3']);
  });

  it('XGROUP DESTROY while a member is busy: it handles no more than it can hold again', async () => {
    const leaseMs = 3_000;
    // As large as a slot: a member fetches whole entries.
    const publisher = await bed.start({ messagesPerEntry: 1 });
    const [busy, other] = [await bed.start({ leaseMs }), await bed.start({ leaseMs })];
    await publisher.publisher.publishMany(Single, numbers(200));
    let again = 0;
    const counts = new Set<number>();
    const count = (value: number): void => {
      if (counts.has(value)) again += 1;
      counts.add(value);
    };
    const [full, go] = [signal(), signal()];
    let running = 0;
    await subscribe(busy, { topic: Single, group: 'g', concurrency: 2 }, async ({ value }: Value) => {
      running += 1;
      if (running === 2) full.fire();
      await go.promise;
      count(value);
    });
    await full.promise;
    await subscribe(other, { topic: Single, group: 'g', concurrency: 2 }, async ({ value }: Value) => count(value));
    await waitFor(async () => (await bed.state(publisher, Single, 'g')).lag === 2, { what: 'all but two to be settled' });
    await bed.command('XGROUP', 'DESTROY', bed.place(Single, 'g').keys.log, 'g');
    await waitFor(async () => ((await bed.command('XINFO', 'GROUPS', bed.place(Single, 'g').keys.log)) as unknown[]).length === 1, { what: 'the group to be there' });
    go.fire();
    await bed.drained(publisher, Single, 'g');
    expect(counts.size).toBe(200);
    expect(again).toBeLessThanOrEqual(2 + 2);
  });

  it('R17 FLUSHALL while messages are handled and published: later messages are handled, and the counts begin anew', async () => {
    const [publisher, member] = [await bed.start(), await bed.start()];
    const [began, go] = [signal(), signal()];
    const seen: number[] = [];
    await subscribe(member, { topic: Single, group: 'g', concurrency: 2 }, async ({ value }: Value) => {
      if (value === 0) {
        began.fire();
        await go.promise;
      }
      seen.push(value);
    });
    await publisher.publisher.publishMany(Single, numbers(3));
    await began.promise;
    await bed.command('FLUSHALL');
    await publisher.publisher.publishMany(Single, numbers(13).slice(3));
    go.fire();
    await waitFor(() => numbers(13).slice(3).every(({ payload }) => seen.includes(payload.value)), { what: 'the later ones' });
    await bed.drained(publisher, Single, 'g');
    expect(await bed.state(publisher, Single, 'g')).toMatchObject({ handled: 10, lag: 0, pending: 0 });
  });

  it('entries that are deleted while they are pending are reported and let go of', async () => {
    const [victim, other] = [await bed.start(), await bed.start()];
    const began = signal();
    await subscribe(victim, { topic: Single, group: 'g' }, async () => {
      began.fire();
      await new Promise(() => undefined);
    });
    await other.publisher.publish(Single, { value: 1 });
    await began.promise;
    victim.vanish();
    const [[entry] = ['']] = await bed.pending(Single, 'g');
    await bed.command('XDEL', bed.place(Single, 'g').keys.log, entry);
    const lost: number[] = [];
    heard.push(listen('lost', ({ count }) => lost.push(count)));
    await subscribe(other, { topic: Single, group: 'g' }, async () => undefined);
    await waitFor(async () => (await bed.pending(Single, 'g')).length === 0, { what: 'nothing to be pending' });
    await waitFor(() => lost.length > 0, { what: 'the event' });
    expect(lost).toEqual([1]);
  });
});

describe('Redis is unwell', () => {
  it('F6 stopped past the lease: every message ends once', async () => {
    const [one, two] = [await bed.start(), await bed.start()];
    const handled = new Map<number, number>();
    const [began, go] = [signal(), signal()];
    const handle = async ({ value }: Value): Promise<void> => {
      began.fire();
      await go.promise;
      handled.set(value, (handled.get(value) ?? 0) + 1);
    };
    await subscribe(one, { topic: Numbered, group: 'g', concurrency: 4 }, handle);
    await subscribe(two, { topic: Numbered, group: 'g', concurrency: 4 }, handle);
    await one.publisher.publishMany(Numbered, numbers(100));
    await began.promise;
    bed.server.pause();
    const failed = signal();
    heard.push(listen('loop-failed', ({ loop }) => loop === 'presence' && failed.fire()));
    await failed.promise;
    go.fire();
    bed.server.resume();
    await bed.drained(one, Numbered, 'g');
    expect(handled.size).toBe(100);
    expect(await bed.state(one, Numbered, 'g')).toMatchObject({ handled: 100, deadLettered: 0, lag: 0 });
  });

  it('F5 killed and started again: every confirmed message ends once', async () => {
    const [one, two] = [await bed.start(), await bed.start()];
    const handled = new Set<number>();
    const handle = async ({ value }: Value, ctx: DeliveryContext): Promise<void> => {
      if (value % 10 === 0 && ctx.attempt === 1) throw new Error('once');
      handled.add(value);
    };
    await subscribe(one, { topic: Numbered, group: 'g', retry }, handle);
    await subscribe(two, { topic: Numbered, group: 'g', retry }, handle);
    const published = Promise.allSettled(numbers(300).map(({ payload }) => one.publisher.publish(Numbered, payload)));
    await waitFor(() => handled.size > 20, { what: 'some to be handled' });
    await bed.server.kill();
    await bed.server.restart();
    const confirmed = (await published).flatMap(({ status }, value) => (status === 'fulfilled' ? [value] : []));
    expect(confirmed).toHaveLength(300);
    await bed.drained(two, Numbered, 'g', 20_000);
    expect(handled.size).toBe(300);
    expect(await bed.state(one, Numbered, 'g')).toMatchObject({ handled: 300, lag: 0, pending: 0 });
    expect(await bed.command('HGET', bed.place(Numbered, 'g').keys.meta, 'next')).toBe(String(await bed.command('XLEN', bed.place(Numbered, 'g').keys.log)));
  });

  it('a key of the wrong type is tried with pauses, and reported; all goes on when it is corrected', async () => {
    const process = await bed.start({ leaseMs: 60_000 });
    const seen = signal();
    const subscription = await subscribe(process, { topic: Single, group: 'g' }, async () => seen.fire());
    const { log } = bed.place(Single, 'g').keys;
    const fifth = signal();
    const times: number[] = [];
    heard.push(listen('loop-failed', ({ loop, failures }) => {
      if (loop === 'fetch') times.push(performance.now());
      if (loop === 'fetch' && failures === 5) fifth.fire();
    }));
    await bed.command('RENAME', log, `${log}:away`);
    await bed.command('SET', log, 'in the way');
    await fifth.promise;
    expect(subscription.problem()).toContain('WRONGTYPE');
    expect(times[4]! - times[0]!).toBeGreaterThan(500);
    await bed.command('DEL', log);
    await bed.command('RENAME', `${log}:away`, log);
    await process.publisher.publish(Single, { value: 1 });
    await seen.promise;
  });

  it('messages that cannot be put back at first are put back later', async () => {
    const [publisher, victim] = [await bed.start({ messagesPerEntry: 4 }), await bed.start()];
    const stuck = signal();
    await subscribe(victim, { topic: Single, group: 'g', concurrency: 4 }, async ({ value }: Value) => {
      if (value === 3) stuck.fire();
      await new Promise(() => undefined);
    });
    await publisher.publisher.publishMany(Single, numbers(4));
    await stuck.promise;
    victim.vanish();
    const page = settledKey(bed.prefix, bed.place(Single, 'g'), 0);
    await bed.command('LPUSH', page, 'in the way');
    const failed = signal();
    heard.push(listen('loop-failed', ({ loop, error }) => loop === 'tend' && error.message.includes('WRONGTYPE') && failed.fire()));
    const seen: number[] = [];
    await subscribe(publisher, { topic: Single, group: 'g' }, async ({ value }: Value) => void seen.push(value));
    await failed.promise;
    await bed.command('DEL', page);
    await bed.drained(publisher, Single, 'g');
    expect(seen.sort()).toEqual([0, 1, 2, 3]);
  });
});

describe('stopping and starting', () => {
  it('ends in the time it is given, also when Redis does not answer', async () => {
    const { process, proxy } = await bed.startBehindProxy();
    const began = signal();
    await subscribe(process, { topic: Numbered, group: 'g', concurrency: 2 }, async () => {
      began.fire();
      await new Promise(() => undefined);
    });
    await process.publisher.publishMany(Numbered, numbers(20));
    await began.promise;
    proxy.blackHole();
    const start = performance.now();
    await process.streams.stop(300);
    // 300 for the handlers, 2,000 to put back their messages, 500 to leave, 500 for publishes.
    expect(performance.now() - start).toBeLessThan(3_900);
  });

  it('does not wait on for a settlement when its time is up', async () => {
    const process = await bed.start();
    const held = heldWith();
    const feedback = { givenAgain: () => undefined };
    const outcomes = new OutcomeRoutes(process.redis);
    const parts = { redis: process.redis, prefix: bed.prefix, member: 'm', held, outcomes, feedback, onSettled: () => undefined };
    const settler = new Settler(parts);
    const fields = ['m', '[[1,"id",null,null,null,{}]]'];
    const [log] = bed.place(Single, 'g').streams;
    const { entry, deliveries } = deliveriesOf(log, { id: '1-0', fields }, held.moment(log));
    held.add(entry);
    let failures = 0;
    const stop = listen('loop-failed', ({ loop }) => (failures += loop === 'settle' ? 1 : 0));
    process.redis.close();
    const settled = new Promise((resolve) => settler.settle(deliveries[0]!, HANDLED, { settled: () => resolve('settled') }));
    // By then the member waits for more than a second between its tries.
    await waitFor(() => failures >= 6, { what: 'the settlement to fail' });
    stop();
    settler.abandon();
    const turn = new Promise((resolve) => setImmediate(() => resolve('waits')));
    expect(await Promise.race([settled, turn])).toBe('settled');
  });

  it('leaves no connection and no member behind, and refuses later calls', async () => {
    const process = await bed.start();
    await subscribe(process, { topic: Wide, group: 'g' }, async () => undefined);
    await process.publisher.publishMany(Wide, numbers(100));
    await bed.drained(process, Wide, 'g');
    await process.streams.stop(2_000);
    process.redis.close();
    await waitFor(async () => !String(await bed.command('CLIENT', 'LIST')).includes('millrace:'), { what: 'the connections to be closed' });
    for (const partition of [0, 7, 15]) expect(await bed.command('XINFO', 'CONSUMERS', bed.place(Wide, 'g', partition).keys.log, 'g')).toEqual([]);
    expect(await bed.command('KEYS', `${bed.prefix}:{presence}:*`)).toEqual([]);
    await expect(subscribe(process, { topic: Single, group: 'g' }, async () => undefined)).rejects.toMatchObject({ code: 'CLOSED' });
  });

  it('a subscription that could not be started may be tried again', async () => {
    const { process, proxy } = await bed.startBehindProxy();
    await proxy.refuse();
    await waitFor(() => !process.redis.control.isReady, { what: 'the process to notice' });
    await expect(subscribe(process, { topic: Single, group: 'g' }, async () => undefined)).rejects.toMatchObject({ code: 'REDIS_UNREACHABLE' });
    await proxy.pass();
    await waitFor(() => process.redis.control.isReady, { what: 'the connection to be back' });
    const seen = signal();
    await subscribe(process, { topic: Single, group: 'g' }, async () => seen.fire());
    await process.publisher.publish(Single, { value: 1 });
    await seen.promise;
  });

  it('one slot and many partitions: every message is handled, one at a time', async () => {
    const process = await bed.start({ leaseMs: 3_000 });
    await process.publisher.publishMany(Wide, numbers(200));
    let [running, most, handled] = [0, 0, 0];
    await subscribe(process, { topic: Wide, group: 'g', concurrency: 1 }, async () => {
      most = Math.max(most, (running += 1));
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      handled += 1;
    });
    await bed.drained(process, Wide, 'g');
    expect([most, handled]).toEqual([1, 200]);
  });
});
