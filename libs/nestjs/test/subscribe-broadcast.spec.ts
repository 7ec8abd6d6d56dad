import { Injectable } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { LocalSubscriptions, Publisher, Subscribe, SubscribeBroadcast } from '@millrace/nestjs';
import { Bench, failureOf, Journal, OrderPlaced } from './fixture.js';

let bench: Bench;

beforeAll(async () => {
  bench = await Bench.start();
});

afterEach(() => bench.closeApps());

afterAll(() => bench.stop());

@Injectable()
class Cache extends Journal {
  @SubscribeBroadcast(OrderPlaced)
  async forget(order: OrderPlaced): Promise<void> {
    this.add(`forget ${order.orderId}`);
  }

  @Subscribe(OrderPlaced, { group: 'inventory' })
  async reserve(order: OrderPlaced): Promise<void> {
    this.add(`reserve ${order.orderId}`);
  }
}

describe('@SubscribeBroadcast', () => {
  it('is called in every process, also in one that runs no groups', async () => {
    const prefix = bench.prefix();
    const worker = await bench.app({ providers: [Cache] }, { prefix });
    const web = await bench.app({ providers: [Cache] }, { prefix, handlers: 'broadcasts' });
    await web.get(Publisher).publish(OrderPlaced, { orderId: 'a', amount: 1 });
    expect((await worker.get(Cache).has(2)).sort()).toEqual(['forget a', 'reserve a']);
    expect(await web.get(Cache).has(1)).toEqual(['forget a']);
    expect(web.get(LocalSubscriptions).states()).toEqual([
      { topic: 'shop.orders.placed', group: '~broadcast', problem: null, pausedBy: [] },
    ]);
  });

  it('is not called in a process that runs nothing', async () => {
    const app = await bench.app({ providers: [Cache] }, { handlers: 'none' });
    expect(app.get(LocalSubscriptions).states()).toEqual([]);
  });

  it('has the options that every handler has, with the same rules', async () => {
    @Injectable()
    class Wrong {
      @SubscribeBroadcast(OrderPlaced, { concurrency: 0, timeout: '5', retry: 5, filter: 'x' } as never)
      async forget(): Promise<void> {}
    }
    const { problems } = await failureOf(bench.app({ providers: [Wrong] }));
    for (const name of ['concurrency', 'timeout', 'retry', 'filter']) {
      expect(problems).toEqual(expect.arrayContaining([expect.stringMatching(new RegExp(`: ${name} must `))]));
    }
  });

  it('takes no group, and says so at the start', async () => {
    @Injectable()
    class Wrong {
      @SubscribeBroadcast(OrderPlaced, { group: 'inventory' } as never)
      async forget(): Promise<void> {}
    }
    const error = await failureOf(bench.app({ providers: [Wrong] }));
    expect(error.code).toBe('INVALID_OPTIONS');
    expect(error.message).toContain('@SubscribeBroadcast on Wrong.forget()');
  });
});
