import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { topicOf } from '@millrace/core';
import { connectServer } from '@millrace/redis';
import { waitFor } from '@millrace/testing';
import { Bed } from '../bed.js';
import { type Process, processOn, signal, subscribe } from '../fixture.js';
import { numbers } from '../topics.js';
import { heldBack } from './held-back.js';
import { A, B } from './stages.js';
import { storedValues } from './stored-values.js';

const COUNT = 10;

const bed = new Bed('forward-full');
let process: Process;

beforeEach(async () => {
  process = await bed.start();
  for (const topic of [A, B]) await process.streams.declare(topicOf(topic));
});
afterEach(() => bed.command('CONFIG', 'SET', 'maxmemory', 0));

const fill = (): Promise<unknown> => bed.command('CONFIG', 'SET', 'maxmemory', 1);
const makeRoom = (): Promise<unknown> => bed.command('CONFIG', 'SET', 'maxmemory', 0);
const stored = async (): Promise<number[]> => {
  const values = await storedValues((...args) => bed.read(...args), bed.prefix, B);
  return values.flat().sort((one, other) => one - other);
};

/** `settled <number>, on their way <number>` */
async function counts(): Promise<string> {
  const { handled, forwarding } = await bed.state(process, A, 'g');
  return `settled ${handled}, on their way ${forwarding}`;
}

function until(expected: string): Promise<unknown> {
  const are = async (): Promise<boolean> => {
    const given = await counts();
    if (given !== expected) throw new Error(given);
    return true;
  };
  return waitFor(are, { what: expected });
}

describe('Messages that handlers forward when Redis is full', () => {
  it('wait in their process with the messages that are to be settled; those that forward nothing are settled', async () => {
    const [begun, go] = [signal(), signal()];
    let count = 0;
    const subscription = await subscribe(process, { topic: A, group: 'g' }, async ({ value }: A, ctx) => {
      if ((count += 1) === COUNT) begun.fire();
      await go.promise;
      if (value % 2 === 0) ctx.publish(B, { value });
    });
    await process.publisher.publishMany(A, numbers(COUNT));
    await begun.promise;
    await fill();
    go.fire();
    await until('settled 5, on their way 0');
    await waitFor(() => /maxmemory/.test(subscription.problem() ?? ''), { what: 'the reason' });
    expect(await stored()).toEqual([]);
    await makeRoom();
    await until('settled 10, on their way 0');
    expect([await stored(), count]).toEqual([[0, 2, 4, 6, 8], COUNT]);
    await waitFor(() => subscription.problem() === null, { what: 'all to be well' });
  });

  it('wait in Redis when they were settled before, and the subscription says why', async () => {
    const go = signal();
    const logs = [0, 1].map((partition) => bed.place(B, 'g', partition).keys.log);
    const redis = heldBack(await connectServer({ url: bed.url }), logs, go.promise);
    const slow = processOn(redis, { prefix: bed.prefix, leaseMs: 30_000 });
    try {
      const subscription = await subscribe(slow, { topic: A, group: 'g' }, async ({ value }: A, ctx) => void ctx.publish(B, { value }));
      await process.publisher.publishMany(A, numbers(COUNT));
      await waitFor(async () => (await bed.state(process, A, 'g')).handled === COUNT, { what: 'all to be settled' });
      await fill();
      go.fire();
      await waitFor(() => subscription.problem() !== null, { what: 'the reason' });
      expect(subscription.problem()).toMatch(/^Forwarded messages wait: .*maxmemory/);
      expect(await stored()).toEqual([]);
      await makeRoom();
      await until('settled 10, on their way 0');
      expect(await stored()).toEqual(numbers(COUNT).map(({ payload }) => payload.value));
      await waitFor(() => subscription.problem() === null, { what: 'all to be well' });
    } finally {
      await slow.stop();
    }
  });
});
