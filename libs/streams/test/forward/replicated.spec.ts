import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { listen, replicated, type Subscription, topicOf } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { type Process, signal, subscribe } from '../fixture.js';
import { ReplicatedBed } from '../replicated-bed.js';
import { numbers } from '../topics.js';
import { A, B } from './stages.js';
import { storedValues } from './stored-values.js';

const COUNT = 10;
const WAIT = { timeoutMs: 20_000 };

const bed = new ReplicatedBed('forward-replicated');
const stops: (() => void)[] = [];
let process: Process;
let subscription: Subscription;

beforeEach(async () => {
  await bed.follow();
  process = await bed.start();
  for (const topic of [A, B]) await process.streams.declare(topicOf(topic));
  await settledByThePrimaryAlone();
});
afterEach(() => stops.splice(0).forEach((stop) => stop()));

const values = numbers(COUNT).map(({ payload }) => payload.value);
const stored = async (): Promise<number[]> => {
  const found = await storedValues((...args) => bed.read(...args), bed.prefix, B);
  return found.flat().sort((one, other) => one - other);
};

/** Messages are settled with what they forward, while no replica follows. */
async function settledByThePrimaryAlone(): Promise<void> {
  const [begun, go] = [signal(), signal()];
  let count = 0;
  const target = { topic: A, group: 'g', durability: replicated(1, '200ms') };
  subscription = await subscribe(process, target, async ({ value }: A, ctx) => {
    if ((count += 1) === COUNT) begun.fire();
    await go.promise;
    ctx.publish(B, { value });
  });
  await process.publisher.publishMany(A, numbers(COUNT));
  await begun.promise;
  await bed.inStep();
  await bed.cutReplication();
  go.fire();
  await waitFor(async () => (await bed.state(process, A, 'g')).handled === COUNT, { what: 'all to be settled', ...WAIT });
}

/** Resolves when a member has looked at what is left in the forward log, and could not send it. */
function lookedInVain(): Promise<void> {
  const { promise, fire } = signal();
  stops.push(listen('loop-failed', ({ loop }) => loop === 'forward' && fire()));
  return promise;
}

describe('Messages that handlers forward with replicated(1)', () => {
  it('are sent when a replica has their settlement, and not before, whoever would send them', async () => {
    await lookedInVain();
    // The member finds that it does not hold the messages any more: what they forward is left.
    const isTold = (): boolean => /^Forwarded messages wait: 0 of 1 replicas/.test(subscription.problem() ?? '');
    await waitFor(isTold, { what: 'the reason', ...WAIT });
    expect(await stored()).toEqual([]);
    await bed.follow();
    await waitFor(async () => (await stored()).length >= COUNT, { what: 'all to be sent', ...WAIT });
    await waitFor(async () => (await bed.state(process, A, 'g')).forwarding === 0, { what: 'nothing on its way', ...WAIT });
    expect(await stored()).toEqual(values);
  });

  it('are sent once, though the primary that settled their messages is lost with that', async () => {
    await bed.server.kill();
    await bed.failOver();
    expect([await stored(), (await bed.state(process, A, 'g')).handled]).toEqual([[], 0]);
    await bed.follow();
    await bed.drained(process, A, 'g');
    await waitFor(async () => (await bed.state(process, A, 'g')).forwarding === 0, { what: 'nothing on its way', ...WAIT });
    expect(await stored()).toEqual(values);
  });
});
