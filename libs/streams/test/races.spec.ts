import { describe, expect, it } from '@jest/globals';
import { type DeliveryContext, fixed, listen } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { Bed } from './bed.js';
import { signal, subscribe } from './fixture.js';
import { numbers, Single, Wide } from './topics.js';

type Value = { value: number };
const bed = new Bed('races');
const retry = { attempts: 3, backoff: fixed('1ms'), deadLetterOn: [] };

/** Resolves when a read has just begun to wait: it waits for 2 s at the most. */
const readBegins = (): Promise<unknown> =>
  waitFor(async () => /idle=0 flags=b .*cmd=xreadgroup/.test(String(await bed.command('CLIENT', 'LIST'))), { what: 'a read to be under way' });

describe('holding', () => {
  it('R2 a member leaves a message to its new holder, and aborts the handler', async () => {
    const process = await bed.start({ leaseMs: 3_000 });
    const [began, aborted] = [signal(), signal()];
    await subscribe(process, { topic: Single, group: 'g' }, async (_: Value, ctx: DeliveryContext) => {
      ctx.signal.addEventListener('abort', () => aborted.fire());
      began.fire();
      await aborted.promise;
    });
    await process.publisher.publish(Single, { value: 1 });
    await began.promise;
    const [[entry] = ['']] = await bed.pending(Single, 'g');
    await bed.command('XCLAIM', bed.place(Single, 'g').keys.log, 'g', 'thief', 0, entry);
    await aborted.promise;
    expect((await bed.pending(Single, 'g'))[0]!.slice(1, 2)).toEqual(['thief']);
  });

  it('R3 messages that wait for a slot stay the member\'s, too', async () => {
    const [publisher, one, other] = [await bed.start({ messagesPerEntry: 4 }), await bed.start(), await bed.start()];
    const [began, go] = [signal(), signal()];
    const reclaimed: number[] = [];
    const stop = listen('reclaimed', ({ count }) => reclaimed.push(count));
    await subscribe(one, { topic: Single, group: 'g', concurrency: 1 }, async () => {
      began.fire();
      await go.promise;
    });
    await publisher.publisher.publishMany(Single, numbers(4));
    await began.promise;
    await subscribe(other, { topic: Single, group: 'g', concurrency: 4 }, async () => undefined);
    await waitFor(async () => (await bed.pending(Single, 'g'))[0]![2] > 1_000, { what: 'three leases to pass' });
    expect((await bed.pending(Single, 'g')).map(([, , , count]) => count)).toEqual([1]);
    stop();
    go.fire();
    await bed.drained(publisher, Single, 'g');
    expect(reclaimed).toEqual([]);
  });

  it('R3 a message that came too late, past its lease, is not begun', async () => {
    const { process: late, proxy } = await bed.startBehindProxy({ leaseMs: 1_500 });
    const other = await bed.start({ leaseMs: 1_500 });
    const handled: string[] = [];
    await subscribe(late, { topic: Single, group: 'g' }, async ({ value }: Value) => void handled.push(`late ${value}`));
    await other.publisher.publishMany(Single, numbers(20));
    await bed.drained(other, Single, 'g');
    await readBegins();
    proxy.blackHole(['replies']);
    await other.publisher.publish(Single, { value: 20 });
    await waitFor(async () => (await bed.pending(Single, 'g')).some(([, , idle]) => idle > 1_700), { what: 'the lease of what the late one was given to run out' });
    await subscribe(other, { topic: Single, group: 'g' }, async ({ value }: Value) => void handled.push(`other ${value}`));
    await waitFor(() => handled.length === 21, { what: 'the other to handle it' });
    await proxy.pass();
    await bed.drained(other, Single, 'g');
    await late.stop();
    expect(handled.at(-1)).toBe('other 20');
    expect(new Set(handled).size).toBe(21);
  });
});

describe('replies that are lost', () => {
  it('R12 of a read: its messages are handled once, by the member that they were given to', async () => {
    // A lease so long that only the loss of the reply makes the member look for the messages that it missed.
    const { process, proxy } = await bed.startBehindProxy({ leaseMs: 600_000 });
    const other = await bed.start({ leaseMs: 600_000 });
    const seen: string[] = [];
    await subscribe(process, { topic: Single, group: 'g' }, async (_: Value, ctx: DeliveryContext) => void seen.push(`${ctx.attempt}/${ctx.crashes}`));
    await other.publisher.publishMany(Single, numbers(20));
    await bed.drained(other, Single, 'g');
    seen.splice(0);
    await readBegins();
    const dropped = proxy.dropReplies();
    await other.publisher.publish(Single, { value: 1 });
    await dropped;
    await waitFor(async () => (await bed.pending(Single, 'g')).length === 1, { what: 'the read to have taken it' });
    await proxy.pass();
    await bed.drained(other, Single, 'g');
    expect(seen).toEqual(['1/0']);
  });

  it.each(['ack', 'retry', 'dead'] as const)('R13 of a settlement (%s): it counts once and nothing runs twice', async (outcome) => {
    const { process, proxy } = await bed.startBehindProxy({ leaseMs: 60_000 });
    const other = await bed.start({ leaseMs: 60_000 });
    const attempts: number[] = [];
    // Another group settles first, with either outcome: the reply that is lost must not be the one that asks for the script.
    await subscribe(other, { topic: Single, group: 'first', retry }, async (_: Value, { attempt }: DeliveryContext) => {
      if (attempt === 1) throw new Error('once');
    });
    await other.publisher.publish(Single, { value: 0 });
    await bed.drained(other, Single, 'first');
    const policy = outcome === 'dead' ? { ...retry, attempts: 1 } : retry;
    await subscribe(process, { topic: Single, group: 'g', retry: policy, start: 'latest' }, async (_: Value, ctx: DeliveryContext) => {
      attempts.push(ctx.attempt);
      if (ctx.attempt > 1) return;
      void proxy.dropReplies();
      if (outcome !== 'ack') throw new Error('once');
    });
    await other.publisher.publish(Single, { value: 1 });
    await waitFor(async () => (await bed.pending(Single, 'g')).length === 0 && attempts.length === 1, { what: 'Redis to have settled it' });
    await proxy.pass();
    await bed.drained(other, Single, 'g');
    const expected = { ack: [1, 0, 0], retry: [1, 1, 0], dead: [0, 0, 1] }[outcome];
    const { handled, retried, deadLettered, fenced } = await bed.state(other, Single, 'g');
    expect([handled, retried, deadLettered, fenced]).toEqual([...expected, 0]);
    expect(attempts).toEqual(outcome === 'retry' ? [1, 2] : [1]);
  });
});

describe('a settlement that cannot be sent', () => {
  it('is sent when Redis is back: the handler does not run again', async () => {
    const { process, proxy } = await bed.startBehindProxy({ leaseMs: 600_000 });
    const other = await bed.start();
    const tried = signal();
    const stop = listen('loop-failed', ({ loop }) => {
      if (loop === 'settle') tried.fire();
    });
    let runs = 0;
    await subscribe(process, { topic: Single, group: 'g' }, async () => {
      runs += 1;
      await proxy.refuse();
    });
    await other.publisher.publish(Single, { value: 1 });
    await tried.promise;
    stop();
    await proxy.pass();
    await bed.drained(other, Single, 'g');
    expect(runs).toBe(1);
    expect(await bed.state(other, Single, 'g')).toMatchObject({ handled: 1, redelivered: 0, fenced: 0 });
  });
});

describe('retries', () => {
  it('R6 a retry that was moved when its worker vanished is handled by another, with its attempts and crashes', async () => {
    const [publisher, victim] = [await bed.start(), await bed.start()];
    const began = signal();
    await subscribe(victim, { topic: Single, group: 'g', retry }, async (_: Value, ctx: DeliveryContext) => {
      if (ctx.attempt === 1) throw new Error('once');
      began.fire();
      await new Promise(() => undefined);
    });
    await publisher.publisher.publish(Single, { value: 1 });
    await began.promise;
    victim.vanish();
    const seen: string[] = [];
    await subscribe(await bed.start(), { topic: Single, group: 'g', retry }, async (_: Value, ctx: DeliveryContext) => void seen.push(`${ctx.attempt}/${ctx.crashes}`));
    await bed.drained(publisher, Single, 'g');
    expect(seen).toEqual(['2/1']);
    expect(await bed.command('XLEN', bed.place(Single, 'g').groupKeys.again)).toBe(0);
  });

  it('R8 an entry of `again` that cannot be read becomes a dead letter, and the lag stays right', async () => {
    const process = await bed.start();
    await subscribe(process, { topic: Single, group: 'g' }, async () => undefined);
    await bed.command('XADD', bed.place(Single, 'g').groupKeys.again, '*', 'r', '[1,');
    await process.publisher.publish(Single, { value: 1 });
    await waitFor(async () => (await bed.state(process, Single, 'g')).deadLettered === 1, { what: 'the dead letter' });
    await bed.drained(process, Single, 'g');
  });
});

describe('groups', () => {
  it('R15 a group that begins while messages are published gets all of them', async () => {
    const [publisher, member] = [await bed.start(), await bed.start()];
    const seen = new Set<number>();
    const published = Promise.all(numbers(100).map(({ payload }) => publisher.publisher.publish(Single, payload)));
    await subscribe(member, { topic: Single, group: 'g' }, async ({ value }: Value) => void seen.add(value));
    await published;
    await bed.drained(publisher, Single, 'g');
    expect(seen.size).toBe(100);
  });

  it('the lag is never negative and never too small, whenever it is looked at', async () => {
    const [publisher, member, looker] = [await bed.start(), await bed.start(), await bed.start()];
    let settled = 0;
    await subscribe(member, { topic: Single, group: 'g' }, async () => void (settled += 1));
    const lags: number[] = [];
    let done = false;
    const looking = (async () => {
      while (!done) lags.push((await bed.state(looker, Single, 'g')).lag);
    })();
    for (const { payload } of numbers(150)) await publisher.publisher.publish(Single, payload);
    await bed.drained(publisher, Single, 'g');
    done = true;
    await looking;
    expect(Math.min(...lags)).toBe(0);
    expect(settled).toBe(150);
  });
});

describe('R9 a saturated group', () => {
  it('finds the messages of a vanished member behind pages of other members\' messages', async () => {
    const [publisher, alive, victim, worker] = [await bed.start(), await bed.start(), await bed.start(), await bed.start()];
    await publisher.publisher.publishMany(Single, numbers(155));
    await subscribe(alive, { topic: Single, group: 'g', concurrency: 150 }, () => new Promise(() => undefined));
    await waitFor(async () => (await bed.pending(Single, 'g')).length === 150, { what: 'most to be held' });
    await subscribe(victim, { topic: Single, group: 'g' }, () => new Promise(() => undefined));
    await waitFor(async () => (await bed.pending(Single, 'g')).length === 155, { what: 'the rest to be held' });
    const seen: number[] = [];
    await subscribe(worker, { topic: Single, group: 'g' }, async ({ value }: Value) => void seen.push(value));
    victim.vanish();
    await waitFor(() => seen.length === 5, { what: 'the five to be handled' });
    expect(seen.sort()).toEqual([150, 151, 152, 153, 154]);
  });

  it('takes over the messages of a vanished member while new messages never end', async () => {
    const [publisher, victim, worker] = [await bed.start(), await bed.start(), await bed.start()];
    const stuck = signal();
    let held = 0;
    await subscribe(victim, { topic: Single, group: 'g', concurrency: 3 }, async () => {
      if ((held += 1) === 3) stuck.fire();
      await new Promise(() => undefined);
    });
    await publisher.publisher.publishMany(Single, numbers(3));
    await stuck.promise;
    victim.vanish();
    const old = new Set<number>();
    let next = 3;
    await subscribe(worker, { topic: Single, group: 'g', concurrency: 2 }, async ({ value }: Value) => {
      if (value < 3) old.add(value);
      // Two more messages follow each handled one, until the old ones are done.
      const two = [{ payload: { value: next++ } }, { payload: { value: next++ } }];
      if (old.size < 3 && next < 20_000) await publisher.publisher.publishMany(Single, two);
    });
    await publisher.publisher.publishMany(Single, numbers(40).slice(3));
    await waitFor(() => old.size === 3, { what: 'the old ones to be handled', timeoutMs: 30_000 });
  });
});

describe('stopping', () => {
  it.each([1, 2, 3, 4, 5])('R24 at a random moment (%i): messages that were not begun are put back, none is lost or handled twice', async (round) => {
    const leaseMs = 60_000;
    const [publisher, stays, leaves] = [await bed.start(), await bed.start({ leaseMs }), await bed.start({ leaseMs })];
    const counts = new Map<number, number>();
    const reached = signal();
    const handle = async ({ value }: Value, ctx: DeliveryContext): Promise<void> => {
      if (value % 5 === 0 && ctx.attempt === 1) throw new Error('once');
      counts.set(value, (counts.get(value) ?? 0) + 1);
      if (counts.size === round * 17) reached.fire();
    };
    await subscribe(stays, { topic: Single, group: 'g', concurrency: 2, retry }, handle);
    const subscription = await subscribe(leaves, { topic: Single, group: 'g', concurrency: 3, retry }, handle);
    const published = publisher.publisher.publishMany(Single, numbers(120));
    await reached.promise;
    await subscription.stop(20_000);
    await published;
    await bed.drained(publisher, Single, 'g');
    expect(counts.size).toBe(120);
    expect([...counts.values()].filter((count) => count !== 1)).toEqual([]);
    expect(await bed.state(publisher, Single, 'g')).toMatchObject({ handled: 120, retried: 24, redelivered: 0, fenced: 0 });
  });
});

describe('a message that takes every process down', () => {
  it('takes no other messages with it, in whichever partition they are', async () => {
    const watcher = await bed.start();
    const stored = await watcher.publisher.publishMany(Wide, numbers(4));
    const first = Math.min(...stored.map(({ partition }) => partition));
    const poison = stored.findIndex(({ partition }) => partition === first);
    const target = { topic: Wide, group: 'g', concurrency: 4, crashLimit: 8 };
    const crashes: number[] = [];
    for (let crash = 0; crash < 8; crash += 1) {
      const [victim, begun] = [await bed.start(), signal()];
      await subscribe(victim, target, async ({ value }: Wide, ctx: DeliveryContext) => {
        if (value === poison) begun.fire();
        else crashes.push(ctx.crashes);
        // Beside that message no handler ends; later, each ends soon.
        if (value === poison || crash === 0) await new Promise(() => undefined);
      });
      await begun.promise;
      victim.vanish();
    }
    await subscribe(await bed.start(), target, async () => undefined);
    await bed.drained(watcher, Wide, 'g');
    expect(Math.max(...crashes)).toBeLessThanOrEqual(1);
    const dead = await bed.deadLetters(watcher, Wide, 'g');
    expect(dead).toMatchObject([{ reason: 'CRASH_LOOP', crashes: 8, envelope: expect.stringContaining(`{"value":${poison}}`) }]);
  });
});
