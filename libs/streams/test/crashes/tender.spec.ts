import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { setTimeout as wait } from 'node:timers/promises';
import { type DeliveryContext, fixed } from '@millrace/core';
import { TcpProxy, waitFor } from '@millrace/testing';
import { Bed } from '../bed.js';
import { type Process, startProcess, subscribe } from '../fixture.js';
import { numbers, Wide } from '../topics.js';

const LEASE_MS = 1_500;
const MESSAGES = 64;
const bed = new Bed('tender');
let network: TcpProxy;
let members: Process[];
/** Value -> the attempts that were begun. */
let attempts: Map<number, number[]>;

beforeEach(async () => {
  members = [];
  attempts = new Map();
  network = await TcpProxy.start(bed.url);
});
afterEach(async () => {
  await network.pass();
  await Promise.all(members.map((member) => member.stop()));
  await network.stop();
});

/** A member whose first attempts all fail. */
async function join(url = bed.url): Promise<Process> {
  const member = await startProcess(url, { prefix: bed.prefix, leaseMs: LEASE_MS });
  members.push(member);
  const retry = { attempts: 3, backoff: fixed('2s'), deadLetterOn: [] };
  await subscribe(member, { topic: Wide, group: 'g', retry }, async ({ value }: Wide, { attempt }: DeliveryContext) => {
    attempts.set(value, [...(attempts.get(value) ?? []), attempt]);
    if (attempt === 1) throw new Error('at first');
  });
  return member;
}

async function allFailedOnce(publisher: Process): Promise<void> {
  await publisher.publisher.publishMany(Wide, numbers(MESSAGES));
  // On a busy machine some are retried before the last one has failed.
  await waitFor(async () => (await bed.state(publisher, Wide, 'g')).retried === MESSAGES, { what: 'all to have failed once' });
}

const eachTwice = new Map(numbers(MESSAGES).map((_, value) => [value, [1, 2]]));

async function expectEachRetriedOnce(publisher: Process): Promise<void> {
  await bed.drained(publisher, Wide, 'g');
  expect(new Map([...attempts].toSorted(([a], [b]) => a - b))).toEqual(eachTwice);
}

it('the member that scheduled all retries, and was the tender of their partitions, is gone when they are due: others move them', async () => {
  const publisher = await bed.start();
  const alone = await join();
  await allFailedOnce(publisher);
  alone.vanish();
  await Promise.all([join(), join()]);
  await expectEachRetriedOnce(publisher);
});

it('several members take themselves for the tender of a partition: each retry comes once', async () => {
  const publisher = await bed.start();
  // All join at once and schedule retries everywhere: each member also moves those that it scheduled itself.
  await Promise.all(numbers(4).map(() => join()));
  await allFailedOnce(publisher);
  await expectEachRetriedOnce(publisher);
});

it('Redis is away when retries are due: they come once, and no member counts as gone', async () => {
  const publisher = await bed.start();
  await Promise.all(numbers(3).map(() => join(network.url)));
  await allFailedOnce(publisher);
  await network.refuse();
  await wait(2 * LEASE_MS);
  await network.pass();
  await expectEachRetriedOnce(publisher);
  expect(await bed.state(publisher, Wide, 'g')).toMatchObject({ redelivered: 0, deadLettered: 0 });
});
