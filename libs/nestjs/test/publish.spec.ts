import { Injectable } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type DeliveryContext, defineTopic, MillraceModule, Publisher, replicated, Subscribe } from '@millrace/nestjs';
import { waitFor } from '@millrace/testing';
import { Bench, failureOf, Journal, OrderPlaced } from './fixture.js';

let bench: Bench;

beforeAll(async () => {
  bench = await Bench.start();
});

afterEach(() => bench.closeApps());

afterAll(() => bench.stop());

@Injectable()
class Inventory extends Journal {
  @Subscribe(OrderPlaced, { group: 'inventory' })
  reserve(order: OrderPlaced): void {
    this.add(order.orderId);
  }
}

describe('the publisher that a service injects', () => {
  it('keeps what a publish asks for: a delayed message comes later, by delay and by deliverAt', async () => {
    const app = await bench.app({ providers: [Inventory] });
    const publisher = app.get(Publisher);
    const options = { delay: '1s', ttl: '1h', idempotencyKey: 'late' } as const;
    expect(await publisher.publish(OrderPlaced, { orderId: 'late', amount: 1 }, options)).toMatchObject({ offset: null, duplicate: false });
    expect(await publisher.publish(OrderPlaced, { orderId: 'late', amount: 1 }, options)).toMatchObject({ duplicate: true });
    const deliverAt = new Date(Date.now() + 60_000);
    expect(await publisher.publish(OrderPlaced, { orderId: 'later', amount: 1 }, { deliverAt })).toMatchObject({ offset: null });
    expect(await publisher.publish(OrderPlaced, { orderId: 'now', amount: 1 })).toMatchObject({ offset: 0 });
    expect((await app.get(Inventory).has(2)).sort()).toEqual(['late', 'now']);
  });

  it('has the memory for publishes on their way that the application was given', async () => {
    const app = await bench.app({ imports: [MillraceModule.forFeature([OrderPlaced])] }, { publishBufferBytes: 1_024 });
    const payload = { orderId: 'a'.repeat(1_000), amount: 1 };
    const error = await failureOf(app.get(Publisher).publishMany(OrderPlaced, [{ payload }, { payload }]));
    expect(error.problems).toEqual([expect.stringMatching(/^item 1: .*raise publishBufferBytes/)]);
  });

  it('keeps what a publish asks for: durability', async () => {
    const app = await bench.app({ imports: [MillraceModule.forFeature([OrderPlaced])] });
    const durability = replicated(1, '100ms');
    const work = app.get(Publisher).publish(OrderPlaced, { orderId: 'a', amount: 1 }, { durability, deadline: '1s' });
    expect((await failureOf(work)).code).toMatch(/^PUBLISH_/);
  });
});

const Numbers = defineTopic<number>('numbers', { partitions: 4, key: (number) => `${number % 8}` });

@Injectable()
class Counted extends Journal<{ partition: number; offset: number; number: number; messageId: string }> {
  @Subscribe(Numbers, { group: 'counted', ordering: 'partition' })
  count(number: number, { partition, offset, messageId }: DeliveryContext): void {
    this.add({ partition, offset, number, messageId });
  }
}

describe('prepared messages', () => {
  it('are published together with their ids, over several topics, in the order of each partition', async () => {
    const app = await bench.app({ imports: [MillraceModule.forFeature([OrderPlaced])], providers: [Counted] });
    const publisher = app.get(Publisher);
    const messages = await Promise.all(Array.from({ length: 200 }, async (_, index) =>
      index % 2 === 0 ? publisher.prepare(Numbers, index / 2) : publisher.prepare(OrderPlaced, { orderId: `${index}`, amount: index }),
    ));
    const outcomes = await publisher.publishPrepared(messages);
    const ids = outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value.id : String(outcome.reason)));
    expect(ids).toEqual(messages.map(({ id }) => id));
    const counted = await app.get(Counted).has(100);
    const own = messages.filter(({ topic }) => topic === 'numbers').map(({ id }) => id);
    expect(counted.map(({ messageId }) => messageId).sort()).toEqual(own.sort());
    for (const partition of [0, 1, 2, 3]) {
      const numbers = counted.filter((one) => one.partition === partition).map(({ number }) => number);
      expect(numbers.length).toBeGreaterThan(1);
      expect(numbers).toEqual([...numbers].sort((one, other) => one - other));
    }
  });

  it('are stored once by their idempotency key, however often they are published', async () => {
    const app = await bench.app({ providers: [Counted] });
    const publisher = app.get(Publisher);
    const prepared = await publisher.prepare(Numbers, 7, { idempotencyKey: 'k', ttl: '1h' });
    const [first] = await publisher.publishPrepared([prepared]);
    const again = await publisher.publishPrepared([prepared, prepared]);
    expect(first).toMatchObject({ status: 'fulfilled', value: { id: prepared.id, duplicate: false } });
    for (const outcome of again) expect(outcome).toMatchObject({ status: 'fulfilled', value: { id: prepared.id, duplicate: true } });
    await publisher.publish(Numbers, 15);
    expect((await app.get(Counted).has(2)).map(({ number }) => number)).toEqual([7, 15]);
  });

  it('fail alone: those for which there is no memory, and what is none', async () => {
    const app = await bench.app({ imports: [MillraceModule.forFeature([OrderPlaced, Numbers])] }, { publishBufferBytes: 1_024 });
    const publisher = app.get(Publisher);
    const large = await publisher.prepare(OrderPlaced, { orderId: 'a'.repeat(1_000), amount: 1 });
    const outcomes = await publisher.publishPrepared([large, { ...large } as never, await publisher.prepare(Numbers, 1)]);
    expect(outcomes).toMatchObject([
      { status: 'fulfilled', value: { offset: 0 } }, { status: 'rejected', reason: { code: 'INVALID_INPUT' } },
      { status: 'rejected', reason: { code: 'BACK_PRESSURE', retryable: true } },
    ]);
  });

  it('come at once when the moment of their delivery has passed', async () => {
    const app = await bench.app({ providers: [Counted] });
    const publisher = app.get(Publisher);
    const deliverAt = new Date(Date.now() + 50);
    const prepared = await publisher.prepare(Numbers, 1, { deliverAt });
    await waitFor(() => Date.now() > deliverAt.getTime(), { what: 'the moment to pass' });
    expect(await publisher.publishPrepared([prepared])).toMatchObject([{ value: { offset: 0 } }]);
    await app.get(Counted).has(1);
  });
});
