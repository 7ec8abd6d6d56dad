import { afterEach, describe, expect, it } from '@jest/globals';
import { setTimeout as wait } from 'node:timers/promises';
import { type Subscription, topicOf } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { Bed } from './bed.js';
import { type Process, signal, subscribe } from './fixture.js';
import { numbers, Single } from './topics.js';

const LEASE_MS = 60_000;
const MOST_READERS = 8;
const MOST_CLIENTS = 10_000;
const ends: (() => Promise<unknown>)[] = [];

// Before the processes of the bed are stopped.
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});
const bed = new Bed('readers');

async function clients(pattern: RegExp): Promise<string[]> {
  return String(await bed.command('CLIENT', 'LIST')).split('\n').filter((line) => pattern.test(line));
}

/** Redis takes no connection any more: there are as many as it takes, or more. */
async function closeTheDoor(connections: number): Promise<void> {
  ends.push(() => bed.command('CONFIG', 'SET', 'maxclients', MOST_CLIENTS));
  await bed.command('CONFIG', 'SET', 'maxclients', connections);
}

/** @param publish called again and again until the test ends */
function keepOn(publish: () => Promise<unknown>): void {
  let isOver = false;
  const publishing = (async () => {
    while (!isOver) {
      await publish();
      await wait(20);
    }
  })();
  ends.push(() => ((isOver = true), publishing));
}

const isBlocked = /:read .* flags=b/;

describe('a busy member for which Redis has no connection to wait on', () => {
  async function busyMember(): Promise<{ handled: () => number; published: () => number }> {
    const [publisher, member] = [await bed.start(), await bed.start({ leaseMs: LEASE_MS })];
    let handled = 0;
    await subscribe(member, { topic: Single, group: 'g' }, async () => void (handled += 1));
    await waitFor(async () => (await clients(/ ssub=[1-9]/)).length === 1, { what: 'the member to hear rings' });
    let published = 0;
    keepOn(async () => void (published += (await publisher.publisher.publishMany(Single, numbers(2))).length));
    return { handled: () => handled, published: () => published };
  }

  function goesOn(handled: () => number): Promise<unknown> {
    const before = handled();
    return waitFor(() => handled() >= before + 500, { what: '500 more to be handled', timeoutMs: 30_000 });
  }

  it('reads by rings when it cannot be made', async () => {
    const [{ length }] = [await clients(/./)];
    await closeTheDoor(length + 5);
    const { handled } = await busyMember();
    expect(await clients(/:read /)).toEqual([]);
    await goesOn(handled);
    expect(await clients(/:read /)).toEqual([]);
  });

  it('reads by rings when it is lost and cannot be made again, until it can', async () => {
    const { handled, published } = await busyMember();
    await waitFor(async () => (await clients(isBlocked)).length === 1, { what: 'the member to wait inside Redis' });
    const [reader] = await clients(/:read /);
    await closeTheDoor((await clients(/./)).length - 1);
    await bed.command('CLIENT', 'KILL', 'ID', /id=(\d+)/.exec(reader!)![1]!);
    const [before, atKill] = [handled(), published()];
    await waitFor(() => handled() >= before + 20, { what: 'the member to read by rings', timeoutMs: 30_000 });
    // A member that keeps a lost connection leaves it only when nothing has come for five seconds: 500 messages.
    expect(published() - atKill).toBeLessThan(350);
    await goesOn(handled);
    expect(await clients(/:read /)).toEqual([]);
    await bed.command('CONFIG', 'SET', 'maxclients', MOST_CLIENTS);
    await waitFor(async () => (await clients(isBlocked)).length === 1, { what: 'the member to wait inside Redis again' });
  });
});

describe('the connections that members wait on', () => {
  const topics = numbers(MOST_READERS).map((_, number) => ({ ...topicOf(Single), name: `busy.${number}` }));
  let count = 0;

  function publish({ streams }: Process, topic: (typeof topics)[number]): Promise<unknown> {
    const draft = { key: null, headers: {}, type: 'Single', schemaVersion: 1, idempotencyKey: null, payloadJson: '{"value":1}' };
    count += 1;
    return streams.publish(topic, { ...draft, id: `m${count}`, publishedAt: Date.now(), trace: null } as never);
  }

  it.each([
    ['paused', (subscriptions: Subscription[]) => subscriptions.forEach((subscription) => void subscription.pause())],
    ['full', (_: Subscription[], fill: () => void) => fill()],
  ] as const)('go to others when those that have them are %s', async (_, holdUp) => {
    const [publisher, member] = [await bed.start({ leaseMs: LEASE_MS }), await bed.start({ leaseMs: LEASE_MS })];
    const goOn = signal();
    let isFull = false;
    ends.push(async () => goOn.fire());
    const subscriptions = await Promise.all(topics.map((topic) => member.streams.subscribe({ topic, group: 'g', concurrency: 1, crashLimit: 3 }, async () => {
      if (isFull) await goOn.promise;
      return { kind: 'ack' };
    })));
    keepOn(() => Promise.all(topics.map((topic) => publish(publisher, topic))));
    await waitFor(async () => (await clients(isBlocked)).length === MOST_READERS, { what: 'all connections to be lent' });
    holdUp(subscriptions, () => (isFull = true));
    await waitFor(async () => (await clients(isBlocked)).length === 0, { what: 'nobody to read any more' });
    await subscribe(member, { topic: Single, group: 'g' }, async () => undefined);
    keepOn(() => publisher.publisher.publish(Single, { value: 1 }));
    await waitFor(async () => (await clients(isBlocked)).length === 1, { what: 'another member to wait inside Redis', timeoutMs: 20_000 });
    expect(await clients(/:read /)).toHaveLength(MOST_READERS);
  });
});
