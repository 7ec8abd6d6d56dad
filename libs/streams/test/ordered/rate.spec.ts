import { expect, it } from '@jest/globals';
import { batchPipeline, type DeliveryContext, type RetryPolicy, type Subscription, topicOf } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { rateKey } from '../../src/keys.js';
import { Bed } from '../bed.js';
import { noRetry, type Process, signal, subscribe } from '../fixture.js';
import { Step, stepsOf } from './keyed.js';
import { times } from './ordered-bed.js';

const bed = new Bed('ordered-rate');
const HOUR_MS = 3_600_000;
const PERMITS = 8;
const rateLimit = { messages: PERMITS, perMs: HOUR_MS };
const PARK = { by: 'key', onExhausted: 'park' } as const;

/** Counts messages that begin against the permits that Redis has given out at the most. */
class Meter {
  begun = 0;
  allowed = PERMITS;
  /** How many had begun by the time when there was no permit for one. */
  readonly beyond: number[] = [];

  begin(): void {
    this.begun += 1;
    if (this.begun > this.allowed) this.beyond.push(this.begun);
  }

  /** Resolves when there is nothing that may begin any more, after so many have. All permits of a period are there again then. */
  async refill(): Promise<void> {
    await waitFor(() => this.begun === this.allowed, { what: `${this.allowed} to begin` });
    expect(this.beyond).toEqual([]);
    this.allowed += PERMITS;
    await bed.command('DEL', rateKey(bed.prefix, 'test.steps', 'g'));
  }

  async refillUntil(count: number): Promise<void> {
    while (this.allowed < count) await this.refill();
    await waitFor(() => this.begun === count, { what: `${count} to begin` });
    expect(this.beyond).toEqual([]);
  }
}

function member(process: Process, meter: Meter, retry: RetryPolicy = noRetry): Promise<Subscription> {
  return subscribe(process, { topic: Step, group: 'g', ordering: PARK, rateLimit, retry }, async (step: Step, { attempt }: DeliveryContext) => {
    meter.begin();
    if (retry !== noRetry && step.step === 0 && attempt === 1) throw new Error('not yet');
  });
}

it('a rate limit counts each attempt that begins, over all members, also with packed entries and after a restart', async () => {
  const [publisher, meter, retry] = [await bed.start({ messagesPerEntry: 16 }), new Meter(), times(2)];
  await publisher.publisher.publishMany(Step, stepsOf(12, 4));
  const [first, second] = [await bed.start(), await bed.start()];
  await member(first, meter, retry);
  await member(second, meter, retry);
  await meter.refill();
  await meter.refill();
  await first.stop();
  await member(await bed.start(), meter, retry);
  await meter.refillUntil(12 * 4 + 12);
  await bed.drained(publisher, Step, 'g');
  expect(await bed.state(publisher, Step, 'g')).toMatchObject({ handled: 48, retried: 12 });
}, 60_000);

it('a rate limit counts messages of released keys', async () => {
  const [admin, ill, meter] = [await bed.start(), await bed.start(), new Meter()];
  await admin.publisher.publishMany(Step, stepsOf(10, 2));
  await subscribe(ill, { topic: Step, group: 'g', ordering: PARK }, () => Promise.reject(new Error('It cannot be done.')));
  await waitFor(async () => (await bed.state(admin, Step, 'g')).parked === 20, { what: 'all to be put aside' });
  await ill.stop();
  for (let thing = 0; thing < 10; thing += 1) await admin.streams.orders.release(Step, 'g', { key: `thing-${thing}` });
  await member(await bed.start(), meter);
  await meter.refillUntil(20);
  await waitFor(async () => (await bed.state(admin, Step, 'g')).parked === 0, { what: 'all to be handled' });
});

it('messages that are put aside need no permit', async () => {
  const [admin, ill, meter] = [await bed.start(), await bed.start(), new Meter()];
  await subscribe(ill, { topic: Step, group: 'g', ordering: PARK }, () => Promise.reject(new Error('It cannot be done.')));
  await admin.publisher.publishMany(Step, stepsOf(1, 1));
  await waitFor(async () => (await bed.state(admin, Step, 'g')).parked === 1, { what: 'the key to be put aside' });
  await ill.stop();
  await member(await bed.start(), meter);
  await admin.publisher.publishMany(Step, stepsOf(1, 30).slice(1));
  await waitFor(async () => (await bed.state(admin, Step, 'g')).parked === 30, { what: 'all to be put aside' });
  await admin.publisher.publishMany(Step, stepsOf(2, PERMITS + 1).filter(({ payload: { thing } }) => thing === 1));
  await waitFor(() => meter.begun === PERMITS, { what: 'all permits to be used' });
  expect(meter.beyond).toEqual([]);
});

it('messages of batches need a permit each: a batch has no more than there are', async () => {
  const [process, meter, topic, sizes] = [await bed.start(), new Meter(), topicOf(Step), [] as number[]];
  await process.publisher.publishMany(Step, stepsOf(20, 1));
  const handle = async (steps: object[]): Promise<void> => {
    sizes.push(steps.length);
    for (let count = 0; count < steps.length; count += 1) meter.begin();
  };
  const handler = batchPipeline({ topic, group: 'g', retry: noRetry, handle });
  const definition = { topic, group: 'g', concurrency: 1, crashLimit: 10, start: 'earliest', ordering: PARK, rateLimit } as const;
  await process.streams.subscribeBatch(definition, { size: 100, waitMs: 10 }, handler);
  await meter.refillUntil(20);
  expect(Math.max(...sizes)).toBeLessThanOrEqual(PERMITS);
});

it('a message whose process vanished needs a permit as any other', async () => {
  const [dying, meter, stuck] = [await bed.start(), new Meter(), signal()];
  await dying.publisher.publishMany(Step, stepsOf(PERMITS, 1));
  await subscribe(dying, { topic: Step, group: 'g', ordering: PARK, rateLimit }, async () => {
    meter.begin();
    if (meter.begun === PERMITS) stuck.fire();
    await new Promise(() => undefined);
  });
  await stuck.promise;
  dying.vanish();
  const next = await bed.start();
  await member(next, meter);
  await next.publisher.publishMany(Step, stepsOf(PERMITS, 2).slice(PERMITS));
  await meter.refillUntil(3 * PERMITS);
  await bed.drained(next, Step, 'g');
});

it('nothing begins while Redis does not say whether there are permits, and the subscription says so', async () => {
  const [process, meter] = [await bed.start(), new Meter()];
  await process.publisher.publishMany(Step, stepsOf(2, 2));
  await bed.command('HSET', rateKey(bed.prefix, 'test.steps', 'g'), 'not', 'a number');
  const subscription = await member(process, meter);
  await waitFor(() => subscription.problem(), { what: 'a problem' });
  expect(meter.begun).toBe(0);
  await bed.command('DEL', rateKey(bed.prefix, 'test.steps', 'g'));
  await waitFor(() => meter.begun === 4, { what: 'all to begin' });
  expect(subscription.problem()).toBeNull();
});
