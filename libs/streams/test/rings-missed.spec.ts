import { afterEach, describe, expect, it } from '@jest/globals';
import { setTimeout as wait } from 'node:timers/promises';
import { waitFor } from '@millrace/testing';
import { Bed } from './bed.js';
import { SelectiveProxy } from './crashes/selective-proxy.js';
import { type Process, startProcess, subscribe } from './fixture.js';
import { Single } from './topics.js';

/** An idle member looks by itself every 15 s: what is found within half of that was looked for at once. */
const LEASE_MS = 60_000;
const WITHIN = '6s';
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
async function idle(): Promise<void> {
  await waitFor(async () => (await clients(/ sub=[1-9]/)).length === 1, { what: 'the member to hear rings' });
  await wait(1_000);
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

async function memberBehindProxy(): Promise<SelectiveProxy> {
  const proxy = await SelectiveProxy.start(bed.url);
  const process = await startProcess(proxy.url, { prefix: bed.prefix, leaseMs: LEASE_MS });
  await subscribe(process, { topic: Single, group: 'g' }, async () => undefined);
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
    await waitFor(async () => (await clients(/ sub=[1-9]/)).length === 0, { what: 'the connection to be lost' });
    expect(await admin.streams.groups.pause(Single, 'g', { within: WITHIN })).toEqual({ busy: [] });
  });
});
