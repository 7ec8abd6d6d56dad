import { afterEach, describe, expect, it } from '@jest/globals';
import type { DeliveryContext } from '@millrace/core';
import { loadScript, refusedWhenFull } from '@millrace/redis';
import { waitFor } from '@millrace/testing';
import { SelectiveProxy } from '../crashes/selective-proxy.js';
import { type Process, signal, silence, startProcess, subscribe } from '../fixture.js';
import { Step, stepsOf } from './keyed.js';
import { BY_KEY, Log, OrderedBed, times } from './ordered-bed.js';

const bed = new OrderedBed('ordered-replies');
const TARGET = { topic: Step, group: 'g', ordering: BY_KEY } as const;
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** A process to which the replies to one script can be lost, as often as is said. */
async function losing(script: string): Promise<{ process: Process; lose: (times: number) => void; lost: () => number }> {
  const plain = loadScript(`../../src/scripts/${script}`, import.meta.url);
  const forms = [plain, refusedWhenFull(plain)];
  for (const { source } of forms) await bed.command('SCRIPT', 'LOAD', source);
  const proxy = await SelectiveProxy.start(bed.url);
  let [left, lost] = [0, 0];
  const asked = new Set<string>();
  proxy.follow(({ direction, name, text }) => {
    if (direction === 'request' && left > 0 && forms.some(({ sha }) => text.includes(sha))) asked.add(name);
    if (direction === 'request' || !asked.delete(name) || left === 0) return 'pass';
    [left, lost] = [left - 1, lost + 1];
    return 'break';
  });
  const process = await startProcess(proxy.url, { prefix: bed.prefix, leaseMs: 3_000 });
  ends.push(() => process.stop(), () => proxy.stop());
  return { process, lose: (wanted) => void (left = wanted), lost: () => lost };
}

const inOrder = (steps: number): string[] => Array.from({ length: steps }, (_, step) => `${step} 1/0`);

describe('replies that are lost', () => {
  it('R12 of a read: its messages are read again, handled once, in their order', async () => {
    const [{ process, lose, lost }, publisher, log] = [await losing('fetch.lua'), await bed.start(), new Log()];
    await subscribe(process, TARGET, async (step: Step, ctx: DeliveryContext) => log.add(step, ctx));
    // So many at once that they are fetched, and not handed over.
    const things = 120;
    await publisher.publisher.publishMany(Step, stepsOf(things, 2));
    await bed.drained(publisher, Step, 'g');
    lose(3);
    for (let step = 2; step < 8; step += 1) {
      await publisher.publisher.publishMany(Step, stepsOf(things, step + 1).slice(step * things));
      await bed.drained(publisher, Step, 'g');
    }
    expect(lost()).toBe(3);
    for (let thing = 0; thing < things; thing += 1) expect(log.of(thing)).toEqual(inOrder(8));
  });

  it('R12 of a read of a member that hears no rings: its messages are read again, and handled once', async () => {
    const [process, publisher, log] = [await bed.start(), await bed.start(), new Log()];
    let [isBroken, lost] = [true, 0];
    const { publish } = process.redis;
    const [run, listening] = [publish.run.bind(publish), process.redis.listening.bind(process.redis)];
    process.redis.listening = (purpose) => Object.assign(listening(purpose), { subscribe: () => Promise.reject(new Error('NOPERM')) });
    publish.run = async (script, keys, args) => {
      const reply = await run(script, keys, args);
      if (isBroken || lost > 0 || !script.name.startsWith('fetch')) return reply;
      lost += 1;
      throw new Error('Command timed out');
    };
    await subscribe(process, TARGET, async (step: Step, ctx: DeliveryContext) => {
      if (isBroken) throw new Error('not yet');
      log.add(step, ctx);
    });
    await publisher.publisher.publishMany(Step, stepsOf(4, 1));
    await bed.drained(publisher, Step, 'g');
    isBroken = false;
    await publisher.streams.deadLetters.redrive(Step, 'g', { all: true });
    await waitFor(() => [0, 1, 2, 3].every((thing) => log.of(thing).length > 0), { what: 'all to be handled again' });
    await bed.drained(publisher, Step, 'g');
    expect([lost, [0, 1, 2, 3].map((thing) => log.of(thing).length)]).toEqual([1, [1, 1, 1, 1]]);
  });

  it.each(['ack', 'dead'] as const)('R13 of a settlement (%s): it counts once, nothing runs twice, and the order holds', async (how) => {
    const [{ process, lose, lost }, publisher, log] = [await losing('settle.lua'), await bed.start(), new Log()];
    await subscribe(process, TARGET, async (step: Step, ctx: DeliveryContext) => {
      log.add(step, ctx);
      if (how === 'dead') throw new Error('never');
    });
    lose(3);
    await publisher.publisher.publishMany(Step, stepsOf(6, 6));
    await bed.drained(publisher, Step, 'g');
    expect(lost()).toBe(3);
    for (const thing of [0, 1, 2, 3, 4, 5]) expect(log.of(thing)).toEqual(inOrder(6));
    const { handled, deadLettered, fenced } = await bed.state(publisher, Step, 'g');
    expect([handled, deadLettered, fenced]).toEqual(how === 'ack' ? [36, 0, 0] : [0, 36, 0]);
  });

  it('to a note: the attempt goes on, and no record is left', async () => {
    const [{ process, lose, lost }, log] = [await losing('note.lua'), new Log()];
    await subscribe(process, { ...TARGET, retry: times(4) }, async (step: Step, ctx: DeliveryContext) => {
      log.add(step, ctx);
      if (ctx.attempt < 4) throw new Error('not yet');
    });
    lose(2);
    const publisher = await bed.start();
    await publisher.publisher.publishMany(Step, stepsOf(1, 2));
    await bed.drained(publisher, Step, 'g');
    const attempts = ['1/0', '2/0', '3/0', '4/0'];
    expect([lost(), log.of(0)]).toEqual([2, [0, 1].flatMap((step) => attempts.map((attempt) => `${step} ${attempt}`))]);
    expect(await bed.notes()).toEqual([]);
  });
});

describe('R11 a reader whose partition is another\'s', () => {
  it.each([
    ['an older epoch', 'owner', 7],
    ['the present epoch, and another name', 'other', 8],
  ] as const)('gets nothing under %s, and nothing is pending', async (_, member, epoch) => {
    const process = await bed.start();
    const subscription = await subscribe(process, TARGET, async () => undefined);
    await subscription.stop(1_000);
    await process.publisher.publishMany(Step, stepsOf(8, 1));
    const fetch = loadScript('../../src/scripts/fetch.lua', import.meta.url);
    for (const { groupKeys: { control }, keys: { log, meta }, streams: [, again] } of bed.places) {
      await bed.command('HSET', control, 'owner', 'owner', 'epoch', 8);
      const args = ['g', '~owner', member, 0, epoch, 1, 0, '', 10, '>', '>'];
      expect(await process.redis.control.run(fetch, [control, log, again.key, meta], args)).toEqual(['LOST']);
      expect(((await bed.command('XPENDING', log, 'g')) as [number])[0]).toBe(0);
    }
  });

  it('gets nothing for a read that arrives behind a later one of its own, and nothing is pending', async () => {
    const process = await bed.start();
    await (await subscribe(process, TARGET, async () => undefined)).stop(1_000);
    await process.publisher.publishMany(Step, stepsOf(8, 2));
    const fetch = loadScript('../../src/scripts/fetch.lua', import.meta.url);
    for (const { groupKeys: { control }, keys: { log, meta }, streams: [, again] } of bed.places) {
      await bed.command('HSET', control, 'owner', 'owner', 'epoch', 8, 'round', '7 9');
      const read = async (round: number, after: string): Promise<unknown> => {
        const args = ['g', '~owner', 'owner', 0, 8, round, 0, '', 1, after, ''];
        const [[entries]] = (await process.redis.control.run(fetch, [control, log, again.key, meta], args)) as [[unknown[]]];
        return entries.length;
      };
      expect([await read(2, '0-0'), await read(2, '>'), await read(1, '>'), await read(2, '0-0'), await read(3, '>')]).toEqual([0, 1, 0, 1, 1]);
      expect(((await bed.command('XPENDING', log, 'g')) as [number])[0]).toBe(2);
    }
  });

  it('takes nothing from its next owner: it learns that it has lost, and the other handles all in order', async () => {
    const [stale, log] = [await bed.start({ leaseMs: 900 }), new Log()];
    const other = await bed.start({ leaseMs: 900 });
    await subscribe(stale, TARGET, async (step: Step, ctx: DeliveryContext) => log.add(step, ctx));
    await stale.publisher.publishMany(Step, stepsOf(4, 2));
    await bed.drained(stale, Step, 'g');
    const restore = silence(stale);
    ends.push(restore);
    await subscribe(other, TARGET, async (step: Step, ctx: DeliveryContext) => log.add(step, ctx));
    const isTaken = async (): Promise<boolean> => {
      const epochs = await Promise.all(bed.places.map(({ groupKeys }) => bed.command('HGET', groupKeys.control, 'epoch')));
      return epochs.every((epoch) => Number(epoch) >= 2);
    };
    await waitFor(isTaken, { what: 'the other to own all' });
    await other.publisher.publishMany(Step, stepsOf(4, 6).slice(8));
    await bed.drained(other, Step, 'g');
    for (const thing of [0, 1, 2, 3]) expect(log.of(thing)).toEqual(inOrder(6));
  });
});

it('a message that is settled while it is looked up is not handled again', async () => {
  const { process, proxy } = await bed.startBehindProxy({ leaseMs: 60_000 });
  const [log, looked, go, held] = [new Log(), signal(), signal(), signal()];
  const { publish } = process.redis;
  const call = publish.call.bind(publish);
  let holds = true;
  publish.call = async (name, ...args) => {
    const reply = await call(name, ...args);
    if (name === 'BITFIELD_RO' && holds) {
      holds = false;
      looked.fire();
      await held.promise;
    }
    return reply;
  };
  await subscribe(process, TARGET, async (step: Step, ctx: DeliveryContext) => {
    log.add(step, ctx);
    await go.promise;
  });
  await process.publisher.publish(Step, { thing: 0, step: 0 });
  await log.until(1);
  proxy.reset();
  await looked.promise;
  go.fire();
  await waitFor(async () => (await bed.state(process, Step, 'g')).handled === 1, { what: 'the message to be settled' });
  held.fire();
  await process.publisher.publish(Step, { thing: 0, step: 1 });
  await bed.drained(process, Step, 'g');
  expect(log.of(0)).toEqual(inOrder(2));
});

it('messages that were read while Redis stood still for longer than the lease begin when it is known again who owns them', async () => {
  const [publisher, log, proxy] = [await bed.start(), new Log(), await SelectiveProxy.start(bed.url)];
  const process = await startProcess(proxy.url, { prefix: bed.prefix, leaseMs: 600 });
  ends.push(() => process.stop(), () => proxy.stop());
  await subscribe(process, TARGET, async (step: Step, ctx: DeliveryContext) => log.add(step, ctx));
  await publisher.publisher.publishMany(Step, stepsOf(4, 1));
  await bed.drained(publisher, Step, 'g');
  const read = signal();
  let isFrozen = false;
  proxy.follow(({ direction, text }) => {
    if (direction === 'reply' && /thing\W{1,4}314159\b/.test(text)) isFrozen = true;
    if (isFrozen) read.fire();
    return isFrozen ? 'keep' : 'pass';
  });
  await publisher.publisher.publish(Step, { thing: 314_159, step: 0 });
  await read.promise;
  const thawAt = performance.now() + 1_200;
  await waitFor(() => performance.now() > thawAt, { what: 'two leases to pass' });
  proxy.pass();
  // An idle look would have them begin as well, half a minute later.
  await bed.drained(publisher, Step, 'g', 12_000);
  expect(log.of(314_159)).toEqual(inOrder(1));
});
