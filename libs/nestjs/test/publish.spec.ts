import { Injectable } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { MillraceModule, Publisher, replicated, Subscribe } from '@millrace/nestjs';
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
