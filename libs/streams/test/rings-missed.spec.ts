import { afterEach, describe, expect, it } from '@jest/globals';
import { setTimeout as wait } from 'node:timers/promises';
import { waitFor } from '@millrace/testing';
import { Bed } from './bed.js';
import { SelectiveProxy } from './crashes/selective-proxy.js';
import { type Process, startProcess, subscribe } from './fixture.js';
import { Single } from './topics.js';

/** An idle member looks by itself about every 30 s: what is found within a quarter of that was looked for at once. */
const LEASE_MS = 60_000;
const WITHIN = '6s';
const SOON = { timeoutMs: 8_000 };
const DELAYED = -1;
/** It looks every 5 s for delayed messages until it hears rings. */
const LONG_IDLE_MS = 7_000;
const ends: (() => Promise<unknown>)[] = [];

// Before the processes of the bed are stopped.
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});
const bed = new Bed('rings-missed');

async function clients(pattern: RegExp): Promise<string[]> {
  return String(await bed.command('CLIENT', 'LIST')).split('\n').filter((line) => pattern.test(line));
}

/** Resolves when the member hears rings, and its upkeep has begun the long pause of one that is idle. */
async function idle(ms = 1_000): Promise<void> {
  await waitFor(async () => (await clients(/ ssub=[1-9]/)).length === 1, { what: 'the member to hear rings' });
  await wait(ms);
}

/** Publishes until the test ends. */
function keepPublishing({ publisher }: Process): void {
  let isOver = false;
  const publishing = (async () => {
    for (let value = 0; !isOver; value += 1) {
      await publisher.publish(Single, { value });
      await wait(20);
    }
  })();
  ends.push(() => ((isOver = true), publishing));
}

/** A process delays a message, and is gone before it is due. */
async function delayAndLeave(value: number): Promise<void> {
  const process = await bed.start({ leaseMs: LEASE_MS });
  await process.publisher.publish(Single, { value }, { delay: '1s' });
  await process.stop();
}

async function memberBehindProxy(handle: (payload: Single) => Promise<void> = async () => undefined): Promise<SelectiveProxy> {
  const proxy = await SelectiveProxy.start(bed.url);
  const process = await startProcess(proxy.url, { prefix: bed.prefix, leaseMs: LEASE_MS });
  await subscribe(process, { topic: Single, group: 'g' }, handle);
  ends.push(async () => {
    proxy.pass();
    await process.stop();
    await proxy.stop();
  });
  return proxy;
}

describe('a member that hears rings no more', () => {
  it('as it has become busy, sees at once what an operator wants', async () => {
    const [admin, process] = [await bed.start({ leaseMs: LEASE_MS }), await bed.start({ leaseMs: LEASE_MS })];
    await subscribe(process, { topic: Single, group: 'g' }, async () => undefined);
    await idle();
    keepPublishing(admin);
    await waitFor(async () => (await clients(/:read .*cmd=xreadgroup/)).length === 1, { what: 'the member to be busy' });
    expect(await admin.streams.groups.pause(Single, 'g', { within: WITHIN })).toEqual({ busy: [] });
  });

  it('as their connection was lost, sees at once what an operator wants', async () => {
    const admin = await bed.start({ leaseMs: LEASE_MS });
    const proxy = await memberBehindProxy();
    await idle();
    proxy.follow(({ name }) => (name.endsWith(':rings') ? 'break' : 'pass'));
    await waitFor(async () => (await clients(/ ssub=[1-9]/)).length === 0, { what: 'the connection to be lost' });
    expect(await admin.streams.groups.pause(Single, 'g', { within: WITHIN })).toEqual({ busy: [] });
  });

  it('as it has become busy, looks at once for messages that others delayed', async () => {
    const [admin, process] = [await bed.start({ leaseMs: LEASE_MS }), await bed.start({ leaseMs: LEASE_MS })];
    const handled = new Set<number>();
    await subscribe(process, { topic: Single, group: 'g' }, async ({ value }: Single) => void handled.add(value));
    await idle(LONG_IDLE_MS);
    keepPublishing(admin);
    await waitFor(async () => (await clients(/:read .*cmd=xreadgroup/)).length === 1, { what: 'the member to be busy' });
    await delayAndLeave(DELAYED);
    await waitFor(() => handled.has(DELAYED), { what: 'the delayed message to be handled', ...SOON });
  });

  it('as their connection was lost, looks at once for messages that others delayed', async () => {
    const handled = new Set<number>();
    const proxy = await memberBehindProxy(async ({ value }) => void handled.add(value));
    await idle(LONG_IDLE_MS);
    proxy.follow(({ name }) => (name.endsWith(':rings') ? 'break' : 'pass'));
    await waitFor(async () => (await clients(/ ssub=[1-9]/)).length === 0, { what: 'the connection to be lost' });
    await delayAndLeave(DELAYED);
    await waitFor(() => handled.has(DELAYED), { what: 'the delayed message to be handled', ...SOON });
  });
});
