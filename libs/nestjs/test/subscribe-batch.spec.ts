import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { topicOf } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { BatchContext, DeadLetter, Inspector, Publisher, SubscribeBatch } from '@millrace/nestjs';
import { atOnce, Bench, Journal, OrderPlaced } from './fixture.js';

let bench: Bench;
beforeAll(async () => void (bench = await Bench.start()));
afterEach(() => bench.closeApps());
afterAll(() => bench.stop());

const orders = (count: number): { payload: OrderPlaced }[] =>
  Array.from({ length: count }, (_, amount) => ({ payload: { orderId: `o${amount}`, amount } }));

describe('@SubscribeBatch', () => {
  it('hands a provider many instances and one context, and settles each message on its own', async () => {
    const journal = new Journal<{ batch: OrderPlaced[]; context: BatchContext }>();
    @Injectable()
    class Index {
      @SubscribeBatch(OrderPlaced, { group: 'index', batch: { size: 4, wait: '1m' }, retry: atOnce })
      write(batch: OrderPlaced[], context: BatchContext): void {
        journal.add({ batch, context });
        context.fail(1, new DeadLetter('not this one'));
      }
    }
    const app = await bench.app({ providers: [Index] });
    await app.get(Publisher).publishMany(OrderPlaced, orders(4));
    const [{ batch, context }] = (await journal.has(1)) as [{ batch: OrderPlaced[]; context: BatchContext }];
    expect(batch.every((order) => order instanceof OrderPlaced)).toBe(true);
    expect(batch).toEqual(orders(4).map(({ payload }) => payload));
    expect(context).toBeInstanceOf(BatchContext);
    expect(context.items.map(({ offset }) => offset)).toEqual([0, 1, 2, 3]);
    const state = (): Promise<unknown> => app.get(Inspector).group(topicOf(OrderPlaced), 'index');
    await waitFor(async () => ((await state()) as { lag: number }).lag === 0, { what: 'the group to be done' });
    expect(await state()).toMatchObject({ handled: 3, deadLettered: 1, retried: 0 });
  });
});
