import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable, Module } from '@nestjs/common';
import { isMillraceError } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { IsInt, IsString } from 'class-validator';
import {
  BatchContext, DeadLetter, DeadLetterContext, DeliveryContext, Inspector, JobHandler, MillraceModule, OnDeadLetter, Publisher,
  Subscribe,
  SubscribeBatch, SubscribeBroadcast, Topic,
} from '@millrace/nestjs';
import { atOnce, Bench, Journal, OrderPlaced, SendConfirmation } from './fixture.js';

let bench: Bench;
beforeAll(async () => void (bench = await Bench.start()));
afterEach(() => bench.closeApps());
afterAll(() => bench.stop());

@Topic('order.charged')
class OrderCharged {
  @IsString() orderId!: string;

  @IsInt() times!: number;
}

@Module({ imports: [MillraceModule.forFeature([SendConfirmation])] })
class Mails {}

const order = (orderId: string): OrderPlaced => ({ orderId, amount: 1 });

describe('ctx.publish and ctx.enqueue', () => {
  it('send an event and a job with the settlement of a message, and nothing of an attempt that fails', async () => {
    const journal = new Journal();
    @Injectable()
    class Charge {
      @Subscribe(OrderPlaced, { group: 'charge', retry: atOnce })
      charge({ orderId }: OrderPlaced, ctx: DeliveryContext): void {
        ctx.publish(OrderCharged, { orderId, times: ctx.attempt });
        ctx.enqueue(SendConfirmation, { orderId: `${orderId}${ctx.attempt}` });
        if (ctx.attempt === 1) throw new Error('not yet');
      }

      @Subscribe(OrderCharged, { group: 'books' })
      book({ orderId, times }: OrderCharged): void {
        journal.add(`charged ${orderId} ${times}`);
      }

      @JobHandler(SendConfirmation)
      confirm({ orderId }: SendConfirmation): void {
        journal.add(`confirmed ${orderId}`);
      }
    }
    const app = await bench.app({ imports: [Mails], providers: [Charge] });
    await app.get(Publisher).publish(OrderPlaced, order('a'));
    expect((await journal.has(2)).sort()).toEqual(['charged a 2', 'confirmed a2']);
    const forwarding = async (): Promise<number> => (await app.get(Inspector).group(OrderPlaced, 'charge')).forwarding;
    await waitFor(async () => (await forwarding()) === 0, { what: 'nothing to be on its way' });
    expect(journal.entries).toHaveLength(2);
  });

  it('are refused in a step of once, which no other attempt runs again', async () => {
    const journal = new Journal();
    const failed = (thrown: unknown): void => journal.add(isMillraceError(thrown) ? thrown.code : String(thrown));
    @Injectable()
    class Charge {
      @Subscribe(OrderPlaced, { group: 'charge', retry: atOnce })
      async charge({ orderId }: OrderPlaced, ctx: DeliveryContext): Promise<void> {
        const publish = (): void => void ctx.publish(OrderCharged, { orderId, times: ctx.attempt });
        await ctx.once('publish', async () => Promise.resolve().then(publish)).catch(failed);
        await ctx.once('enqueue', () => void ctx.enqueue(SendConfirmation, { orderId })).catch(failed);
        const beside = ctx.once('beside', () => ctx.attempt);
        publish();
        await beside;
        if (ctx.attempt === 1) throw new Error('not yet');
      }

      @Subscribe(OrderCharged, { group: 'books' })
      book({ times }: OrderCharged): void {
        journal.add(`charged ${times}`);
      }
    }
    const app = await bench.app({ imports: [Mails], providers: [Charge] });
    await app.get(Publisher).publish(OrderPlaced, order('a'));
    const refused = Array.from({ length: 4 }, () => 'FORWARD_REFUSED');
    expect(await journal.has(5)).toEqual([...refused, 'charged 2']);
  });

  it('belong to single messages of a batch', async () => {
    const journal = new Journal();
    @Injectable()
    class Charge {
      @SubscribeBatch(OrderPlaced, { group: 'charge', batch: { size: 3, wait: '1m' }, retry: atOnce })
      charge(orders: OrderPlaced[], context: BatchContext): void {
        orders.forEach(({ orderId }, index) => context.items[index]!.publish(OrderCharged, { orderId, times: index }));
        context.fail(1, new DeadLetter('not this one'));
      }

      @Subscribe(OrderCharged, { group: 'books' })
      book({ orderId }: OrderCharged): void {
        journal.add(orderId);
      }
    }
    const app = await bench.app({ providers: [Charge] });
    await app.get(Publisher).publishMany(OrderPlaced, ['a', 'b', 'c'].map((orderId) => ({ payload: order(orderId) })));
    expect((await journal.has(2)).sort()).toEqual(['a', 'c']);
  });

  it('are refused where nothing is settled that they could go with', async () => {
    const journal = new Journal();
    const tried = (name: string, ctx: DeliveryContext): void => {
      try {
        ctx.publish(OrderCharged, { orderId: 'x', times: 1 });
      } catch (thrown) {
        journal.add(`${name} ${isMillraceError(thrown) ? thrown.code : 'no error of ours'}`);
      }
    };
    @Injectable()
    class Everywhere {
      @SubscribeBroadcast(OrderPlaced)
      hear(_: OrderPlaced, ctx: DeliveryContext): void {
        tried('broadcast', ctx);
      }

      @Subscribe(OrderPlaced, { group: 'charge', retry: atOnce })
      charge(): void {
        throw new DeadLetter('no');
      }

      @OnDeadLetter(OrderPlaced, { group: 'charge' })
      dead(_: OrderPlaced, ctx: DeadLetterContext): void {
        tried('dead letter', ctx);
      }
    }
    const app = await bench.app({ providers: [Everywhere] });
    await app.get(Publisher).publish(OrderPlaced, order('a'));
    expect((await journal.has(2)).sort()).toEqual(['broadcast FORWARD_REFUSED', 'dead letter FORWARD_REFUSED']);
  });
});
