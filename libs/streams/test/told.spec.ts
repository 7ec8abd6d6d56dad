import { channel } from 'node:diagnostics_channel';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { BROADCAST_GROUP, type DeliveryContext, deliveryPipeline, type EventMap, type EventName, fixed, listen, topicOf } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { Bed } from './bed.js';
import { noRetry, subscribe } from './fixture.js';
import { Single } from './topics.js';

const bed = new Bed('told');
const NAMES = ['published', 'fetched', 'handled', 'settled'] as const;
const stops: (() => void)[] = [];

afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

function heard<Name extends EventName>(name: Name): EventMap[Name][] {
  const events: EventMap[Name][] = [];
  stops.push(listen(name, (event) => events.push(event)));
  return events;
}

function sums(events: readonly { readonly outcome: string; readonly count?: number }[]): Record<string, number> {
  const found: Record<string, number> = {};
  for (const { outcome, count = 1 } of events) found[outcome] = (found[outcome] ?? 0) + count;
  return found;
}

const count = (events: readonly { readonly count: number }[]): number => events.reduce((sum, one) => sum + one.count, 0);

describe('observers are told', () => {
  it('about each publish by its outcome, and about those that are settled together at once', async () => {
    const process = await bed.start();
    const published = heard('published');
    await process.publisher.publishMany(Single, Array.from({ length: 200 }, (_, value) => ({ payload: { value } })));
    await process.publisher.publish(Single, { value: 1 }, { idempotencyKey: 'a' });
    await process.publisher.publish(Single, { value: 1 }, { idempotencyKey: 'a' });
    await process.publisher.publish(Single, { value: 2 }, { idempotencyKey: 'a' }).catch(() => undefined);
    await process.publisher.publish(Single, { value: 'no number' } as never).catch(() => undefined);
    await process.publisher.publishMany(Single, [{ payload: { value: 1 } }, { payload: {} as never }]).catch(() => undefined);
    await waitFor(() => count(published) === 205, { what: 'all to be told' });
    expect(sums(published)).toEqual({ ok: 201, duplicate: 1, error: 1, invalid: 2 });
    expect(published.length).toBeLessThan(10);
    for (const { topic, outcome, durationMs } of published) {
      expect(topic).toBe(topicOf(Single).name);
      expect(durationMs > 0).toBe(outcome !== 'invalid');
    }
  });

  it('about messages that are read, handled and settled, each attempt with its outcome', async () => {
    const process = await bed.start();
    const [fetched, handled, settled] = [heard('fetched'), heard('handled'), heard('settled')];
    const retry = { attempts: 2, backoff: fixed('1ms'), deadLetterOn: [] };
    await subscribe(process, { topic: Single, group: 'g', retry }, async ({ value }: { value: number }, { attempt }: DeliveryContext) => {
      if (value === 1 && attempt === 1) throw new TypeError('as planned');
      if (value === 2) throw new RangeError('as planned');
    });
    for (const value of [0, 1, 2]) await process.publisher.publish(Single, { value });
    await waitFor(() => count(settled) === 5, { what: 'all to be settled' });
    expect(sums(handled)).toEqual({ ack: 2, retry: 2, 'dead-letter': 1 });
    expect(sums(settled)).toEqual({ ack: 2, retry: 2, 'dead-letter': 1 });
    expect(count(fetched)).toBe(5);
    expect(fetched.reduce((sum, { redelivered }) => sum + redelivered, 0)).toBe(2);
    expect(handled.filter(({ attempt }) => attempt === 2)).toHaveLength(2);
    expect(handled.flatMap(({ errorType }) => errorType ?? []).sort()).toEqual(['RangeError', 'RangeError', 'TypeError']);
    for (const { durationMs, ageMs, topic, group } of handled) {
      expect([topic, group]).toEqual([topicOf(Single).name, 'g']);
      expect(durationMs).toBeGreaterThan(0);
      expect(ageMs).toBeGreaterThanOrEqual(0);
    }
  });

  it('about an ordered group and of a broadcast as well', async () => {
    const process = await bed.start();
    const [fetched, handled] = [heard('fetched'), heard('handled')];
    await subscribe(process, { topic: Single, group: 'g', ordering: { by: 'partition' } as never }, async () => undefined);
    const handler = deliveryPipeline({ topic: topicOf(Single), group: BROADCAST_GROUP, retry: noRetry, handle: () => Promise.reject(new Error('as planned')) });
    await process.streams.broadcast({ topic: topicOf(Single), concurrency: 4 }, handler);
    await process.publisher.publish(Single, { value: 0 }, { key: 'k' });
    await waitFor(() => handled.length === 2, { what: 'both to handle it' });
    const outcomes = Object.fromEntries(handled.map(({ group, outcome }) => [group, outcome]));
    expect(outcomes).toEqual({ g: 'ack', [BROADCAST_GROUP]: 'given-up' });
    expect(count(fetched)).toBe(2);
  });
});

describe('while nobody listens', () => {
  /** The files of ours that read a clock for observers. */
  const READERS = /handled-events|publish-tally|enqueue-events/;

  async function clockReadsOfAMessage(): Promise<number> {
    const process = await bed.start();
    const now = performance.now.bind(performance);
    let reads = 0;
    const spy = jest.spyOn(performance, 'now').mockImplementation(() => {
      if (READERS.test(new Error().stack ?? '')) reads += 1;
      return now();
    });
    try {
      const seen: number[] = [];
      await subscribe(process, { topic: Single, group: 'g' }, async ({ value }: { value: number }) => void seen.push(value));
      await process.publisher.publish(Single, { value: 1 });
      await waitFor(() => seen.length === 1, { what: 'it to be handled' });
      return reads;
    } finally {
      spy.mockRestore();
    }
  }

  it('no clock is read and no event made for a message', async () => {
    expect(NAMES.map((name) => channel(`millrace:${name}`).hasSubscribers)).toEqual([false, false, false, false]);
    expect(await clockReadsOfAMessage()).toBe(0);
    for (const name of NAMES) heard(name);
    expect(await clockReadsOfAMessage()).toBeGreaterThanOrEqual(3);
  });
});
