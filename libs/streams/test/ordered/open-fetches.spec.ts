import { describe, expect, it } from '@jest/globals';
import { type DeliveryContext, topicOf } from '@millrace/core';
import { loadScript } from '@millrace/redis';
import { waitFor } from '@millrace/testing';
import type { GroupPartition } from '../../src/consume/group-partition.js';
import { SelectiveProxy } from '../crashes/selective-proxy.js';
import { type Process, signal, startProcess, subscribe } from '../fixture.js';
import { Step } from './keyed.js';
import { BY_KEY, Log, OrderedBed } from './ordered-bed.js';

const bed = new OrderedBed('open-fetches');
const TARGET = { topic: Step, group: 'g', ordering: BY_KEY } as const;
const SEPARATOR = '\u001e';

/** How many fetches a process has sent. */
function fetches({ redis: { publish } }: Process): () => number {
  const run = publish.run.bind(publish);
  let count = 0;
  publish.run = (script, ...args) => {
    if (script.name === 'fetch.lua') count += 1;
    return run(script, ...args);
  };
  return () => count;
}

/** The fetches that are open in all partitions, as texts of words. */
async function open(): Promise<string[]> {
  const texts = await Promise.all(bed.places.map(({ keys }) => bed.command('HGET', keys.meta, 'fetches')));
  return texts.flatMap((text) => (text as string | null)?.split('\n') ?? []).filter((line) => line !== '');
}

async function areOpen(count: number): Promise<string[]> {
  await waitFor(async () => (await open()).length === count, { what: `${count} open fetches` });
  return open();
}

function stepsFrom(first: number, count: number): Step[] {
  return Array.from({ length: count }, (_, index) => ({ thing: 0, step: first + index }));
}

/** The place to which something was published. */
async function usedPlace(): Promise<GroupPartition> {
  const lengths = await Promise.all(bed.places.map(({ keys }) => bed.command('XLEN', keys.log)));
  return bed.places[lengths.findIndex((length) => length !== 0)]!;
}

async function pendingIn(log: string): Promise<number> {
  return ((await bed.command('XPENDING', log, 'g')) as [number])[0];
}

async function publishAll({ publisher }: Pick<Process, 'publisher'>, steps: readonly Step[]): Promise<void> {
  for (const step of steps) await publisher.publish(Step, step);
}

/** An owner of all partitions that waits, a publisher, and what the handler is given. */
async function owner(): Promise<{ process: Process; publisher: Process; log: Log }> {
  const [process, publisher, log] = [await bed.start(), await bed.start(), new Log()];
  await subscribe(process, TARGET, async (step: Step, ctx: DeliveryContext) => log.add(step, ctx));
  await areOpen(4);
  return { process, publisher, log };
}

/** A process behind a proxy, which can lose or keep its rings. */
async function behindProxy(leaseMs = 60_000): Promise<{ process: Process; proxy: SelectiveProxy; end: () => Promise<void> }> {
  const proxy = await SelectiveProxy.start(bed.url);
  const process = await startProcess(proxy.url, { prefix: bed.prefix, leaseMs });
  const end = async (): Promise<void> => {
    await process.stop();
    await proxy.stop();
  };
  return { process, proxy, end };
}

describe('a fetch that is left open', () => {
  it('is given what is published while the owner has nothing to do, and the owner sends no other', async () => {
    const { process, publisher, log } = await owner();
    const sent = fetches(process);
    for (let step = 0; step < 12; step += 1) {
      await publishAll(publisher, stepsFrom(step, 1));
      await log.until(step + 1);
      await bed.drained(publisher, Step, 'g');
    }
    expect(log.of(0)).toEqual(Array.from({ length: 12 }, (_, step) => `${step} 1/0`));
    expect(sent()).toBe(0);
  });

  it('is given a batch as it is, and entries that are read for several groups', async () => {
    const [process, publisher, logs] = [await bed.start(), await bed.start(), [new Log(), new Log()]];
    const [groups, sent] = [['g', 'h'], fetches(process)];
    for (const [index, group] of groups.entries()) {
      await subscribe(process, { ...TARGET, group }, async (step: Step, ctx: DeliveryContext) => logs[index]!.add(step, ctx));
    }
    await areOpen(8);
    const before = sent();
    await publisher.publisher.publishMany(Step, stepsFrom(0, 10).map((payload) => ({ payload })));
    for (const group of groups) await bed.drained(publisher, Step, group);
    for (const log of logs) expect(log.of(0)).toEqual(Array.from({ length: 10 }, (_, step) => `${step} 1/0`));
    expect(sent() - before).toBeLessThan(6);
  });

  it('is given nothing more while the owner has messages that are not settled', async () => {
    const [process, publisher, log, gate] = [await bed.start(), await bed.start(), new Log(), signal()];
    await subscribe(process, { ...TARGET, concurrency: 1 }, async (step: Step, ctx: DeliveryContext) => {
      log.add(step, ctx);
      await gate.promise;
    });
    await areOpen(4);
    const things = Array.from({ length: 60 }, (_, thing) => thing);
    await publishAll(publisher, things.map((thing) => ({ thing, step: 0 })));
    await log.until(1);
    const pending = await Promise.all(bed.places.map(({ keys }) => pendingIn(keys.log)));
    expect(pending.reduce((sum, count) => sum + count, 0)).toBeLessThan(30);
    gate.fire();
    await bed.drained(publisher, Step, 'g');
    for (const thing of things) expect(log.of(thing)).toEqual(['0 1/0']);
  });

  it('is given one message a partition at the most when the host of its owner stands still: no more can look as if it had crashed', async () => {
    const { process, proxy, end } = await behindProxy(1_000);
    const [heir, publisher, log] = [await bed.start({ leaseMs: 1_000 }), await bed.start({ leaseMs: 1_000 }), new Log()];
    try {
      await subscribe(process, TARGET, async () => undefined);
      await areOpen(4);
      proxy.follow(() => 'keep');
      await subscribe(heir, TARGET, async (step: Step, ctx: DeliveryContext) => log.add(step, ctx));
      await publishAll(publisher, Array.from({ length: 24 }, (_, thing) => ({ thing, step: 0 })));
      await bed.drained(publisher, Step, 'g');
      expect(log.lines.length).toBe(24);
      expect(log.lines.filter((line) => !line.endsWith('1/0')).length).toBeLessThan(5);
    } finally {
      await end();
    }
  });

  it.each([
    ['the next one comes', 1],
    // So many are not handed over.
    ['the owner fetches', 40],
  ])('loses nothing and keeps the order when a ring is lost, by the time that %s', async (_, later) => {
    const { process, proxy, end } = await behindProxy();
    const [publisher, log] = [await bed.start(), new Log()];
    await subscribe(process, TARGET, async (step: Step, ctx: DeliveryContext) => log.add(step, ctx));
    try {
      await areOpen(4);
      let lost = 0;
      proxy.follow(({ direction, text }) => {
        if (direction === 'request' || lost > 0 || !text.includes(SEPARATOR)) return 'pass';
        lost += 1;
        return 'lose';
      });
      await publishAll(publisher, stepsFrom(0, 1));
      await waitFor(() => lost === 1, { what: 'the ring to be lost' });
      await publisher.publisher.publishMany(Step, stepsFrom(1, later).map((payload) => ({ payload })));
      await bed.drained(publisher, Step, 'g');
      expect(log.of(0)).toEqual(Array.from({ length: 1 + later }, (_, step) => `${step} 1/0`));
    } finally {
      await end();
    }
  });

  it('is given what nobody had rung for, and the rest is fetched', async () => {
    const { publisher, log } = await owner();
    await publishAll(publisher, stepsFrom(0, 1));
    await bed.drained(publisher, Step, 'g');
    const { keys } = await usedPlace();
    // As a version of Millrace would that knows no open fetches, while the ring is lost.
    const next = Number(await bed.command('HGET', keys.meta, 'next'));
    const [[, [, text]]] = (await bed.command('XRANGE', keys.log, '-', '+')) as [[string, [string, string]]];
    const ms = Date.now() + 1;
    await bed.command('XADD', keys.log, `${ms}-${next * 16}`, 'm', text.replace('"step\\":0', '"step\\":1').replace('"step":0', '"step":1'));
    await bed.command('HSET', keys.meta, 'next', next + 1, 'ms', ms);
    await publishAll(publisher, stepsFrom(2, 1));
    await waitFor(() => log.of(0).length === 3, { what: 'all to be handled' });
    expect(log.of(0)).toEqual(['0 1/0', '1 1/0', '2 1/0']);
  });

  it('is closed when the group pauses: nothing is held by an owner that begins nothing', async () => {
    const { process, publisher, log } = await owner();
    await process.streams.groups.pause(topicOf(Step), 'g');
    await areOpen(0);
    await publishAll(publisher, stepsFrom(0, 3));
    for (const { keys } of bed.places) expect(await pendingIn(keys.log)).toBe(0);
    await process.streams.groups.resume(topicOf(Step), 'g');
    await bed.drained(publisher, Step, 'g');
    expect(log.of(0)).toEqual(['0 1/0', '1 1/0', '2 1/0']);
  });

  it('is not served when its owner has vanished: nothing looks as if a handler had had it', async () => {
    const [process, publisher] = [await bed.start(), await bed.start()];
    await subscribe(process, TARGET, async () => undefined);
    await areOpen(4);
    process.vanish();
    const channels = bed.places.map(({ keys }) => `${keys.ring}:*`);
    const listening = (): Promise<unknown[]> => Promise.all(channels.map((channel) => bed.command('PUBSUB', 'SHARDCHANNELS', channel)));
    await waitFor(async () => (await listening()).flat().length === 0, { what: 'Redis to notice' });
    await publishAll(publisher, stepsFrom(0, 1));
    const { keys } = await usedPlace();
    expect(await pendingIn(keys.log)).toBe(0);
  });

  it('is closed when another member takes the partition', async () => {
    const { process, publisher } = await owner();
    const acquire = loadScript('../../src/scripts/acquire.lua', import.meta.url);
    for (const { groupKeys: { control }, keys: { meta } } of bed.places) {
      const record = (await bed.command('HMGET', control, 'owner', 'epoch')) as string[];
      await process.redis.publish.run(acquire, [control, meta], ['g', 'another', ...record, 1, '']);
    }
    await publishAll(publisher, stepsFrom(0, 1));
    expect([await pendingIn((await usedPlace()).keys.log), await open()]).toEqual([0, []]);
  });

  it('brings the handler nothing twice when a ring comes twice', async () => {
    const { publisher, log } = await owner();
    await publishAll(publisher, stepsFrom(0, 1));
    await bed.drained(publisher, Step, 'g');
    const { keys } = await usedPlace();
    const [, , member, epoch, fetch] = ((await bed.command('HGET', keys.meta, 'fetches')) as string).split(' ');
    const [[id, [, text]]] = (await bed.command('XRANGE', keys.log, '-', '+')) as [[string, [string, string]]];
    await bed.command('SPUBLISH', `${keys.ring}:${member}`, `given 1-1 ${epoch} ${fetch}${SEPARATOR}${id} ${text}`);
    await publishAll(publisher, stepsFrom(1, 1));
    await bed.drained(publisher, Step, 'g');
    expect(log.of(0)).toEqual(['0 1/0', '1 1/0']);
  });

  it('is given nothing behind a foreign entry, which is fetched', async () => {
    const { publisher, log } = await owner();
    await publishAll(publisher, stepsFrom(0, 1));
    await bed.drained(publisher, Step, 'g');
    const { keys } = await usedPlace();
    for (const text of ['["a foreign one"]', '["\u001ez"]']) await bed.command('XADD', keys.log, '*', 'm', text);
    await publishAll(publisher, stepsFrom(1, 3));
    await waitFor(async () => log.of(0).length === 4 && (await pendingIn(keys.log)) === 0, { what: 'all to be handled' });
    expect(log.of(0)).toEqual(['0 1/0', '1 1/0', '2 1/0', '3 1/0']);
  });

  it('takes one fetch a message where the user of a publisher may not ask who listens', async () => {
    await bed.command('ACL', 'SETUSER', 'poor', 'reset', 'on', '>pw', '~*', '&*', '+@all', '-pubsub');
    const { process, log } = await owner();
    const [sent, poor] = [fetches(process), await startProcess(bed.url.replace('redis://', 'redis://poor:pw@'), { prefix: bed.prefix, leaseMs: 300 })];
    try {
      for (let step = 0; step < 8; step += 1) {
        await publishAll(poor, stepsFrom(step, 1));
        await log.until(step + 1);
        await bed.drained(process, Step, 'g');
      }
      expect(sent()).toBeLessThan(13);
      expect(log.of(0)).toEqual(Array.from({ length: 8 }, (_, step) => `${step} 1/0`));
    } finally {
      await poor.stop();
    }
  });

  it('has what is published behind it read to its end, also where entries are packed anew at the end of a page', async () => {
    const publisher = await bed.start({ messagesPerEntry: 16 });
    for (let first = 0; first < 65_530; first += 6_553) {
      await publisher.publisher.publishMany(Step, stepsFrom(first, 6_553).map((payload) => ({ payload })));
    }
    const [process, log] = [await bed.start(), new Log()];
    await subscribe(process, { ...TARGET, start: 'latest' }, async (step: Step, ctx: DeliveryContext) => log.add(step, ctx));
    await areOpen(4);
    await publisher.publisher.publishMany(Step, stepsFrom(0, 10).map((payload) => ({ payload })));
    await log.until(10);
    await publishAll(publisher, stepsFrom(10, 1));
    await log.until(11);
    expect(log.of(0)).toEqual(Array.from({ length: 11 }, (_, step) => `${step} 1/0`));
  }, 60_000);
});
