import { Injectable } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type DeliveryContext, Halves, MessageType, MillraceModule, Publisher, Subscribe, Topic, TransactionCheck,
  TransactionCheckContext, type TransactionState,
} from '@millrace/nestjs';
import { listen } from '@millrace/core';
import { IsString } from 'class-validator';
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
  reserve(order: OrderPlaced, { headers }: DeliveryContext): void {
    this.add(`${order.orderId} ${headers['tenant'] ?? ''}`);
  }
}

@Injectable()
class Orders extends Journal<{ order: OrderPlaced; context: TransactionCheckContext }> {
  answer: TransactionState = 'commit';

  @TransactionCheck(OrderPlaced)
  wasPlaced(order: OrderPlaced, context: TransactionCheckContext): TransactionState {
    this.add({ order, context });
    return this.answer;
  }
}

@Injectable()
class OtherOrders {
  @TransactionCheck(OrderPlaced)
  async wasPlaced(): Promise<TransactionState> {
    return Promise.resolve('unknown');
  }
}

@Topic('parcels')
class Parcel {
  @IsString() id!: string;
}

@MessageType('parcel-lost')
class ParcelLost extends Parcel {}

const order = { orderId: 'a', amount: 1 };

describe('a half message of an application', () => {
  it('is handled once its publisher has committed it', async () => {
    const app = await bench.app({ providers: [Inventory] });
    const half = await app.get(Publisher).publishHalf(OrderPlaced, order, { headers: { tenant: 't' } });
    expect(await app.get(Halves).state(OrderPlaced)).toMatchObject({ stored: 1, checkedAt: null });
    expect(await half.commit()).toMatchObject({ id: half.id, offset: 0, duplicate: false });
    expect(await app.get(Inventory).has(1)).toEqual(['a t']);
  });

  it('is asked about in another process, when its publisher is gone', async () => {
    const prefix = bench.prefix();
    const publisher = await bench.app({ imports: [MillraceModule.forFeature([OrderPlaced])] }, { prefix });
    await publisher.get(Publisher).publishHalf(OrderPlaced, order, { checkAfter: '1s', headers: { tenant: 't' } });
    await publisher.close();
    const app = await bench.app({ providers: [Inventory, Orders] }, { prefix });
    const [entry] = await app.get(Orders).has(1);
    const { order: asked, context } = entry!;
    expect(asked).toBeInstanceOf(OrderPlaced);
    expect(asked).toEqual(order);
    expect(context).toBeInstanceOf(TransactionCheckContext);
    expect(context).toMatchObject({ topic: 'shop.orders.placed', check: 1, headers: { tenant: 't' } });
    expect(await app.get(Inventory).has(1)).toEqual(['a t']);
  });

  it('is not asked about by a process that runs no handlers', async () => {
    const prefix = bench.prefix();
    const app = await bench.app({ imports: [MillraceModule.forFeature([OrderPlaced])], providers: [Orders] }, { prefix, handlers: 'none' });
    const half = await app.get(Publisher).publishHalf(OrderPlaced, order);
    expect((await app.get(Halves).state(OrderPlaced)).checkedAt).toBeNull();
    await half.rollback();
  });

  it('that nobody knows about is given up, and said to be', async () => {
    const app = await bench.app({ providers: [Orders] });
    app.get(Orders).answer = 'unknown';
    const given = new Promise((resolve) => {
      const stop = listen('half-given-up', (event) => {
        stop();
        resolve(event);
      });
    });
    const half = await app.get(Publisher).publishHalf(OrderPlaced, order, { checkAfter: '1s', checks: 1 });
    expect(await given).toMatchObject({ topic: 'shop.orders.placed', messageId: half.id, checks: 1 });
    expect(await app.get(Halves).givenUp(OrderPlaced)).toMatchObject([{ id: half.id, payload: order }]);
  });
});

describe('the handlers of checks of an application', () => {
  it('are one for each topic: a second one is refused', async () => {
    const error = await failureOf(bench.app({ providers: [Orders, OtherOrders] }));
    expect(error.code).toBe('DUPLICATE_SUBSCRIPTION');
    expect(error.message).toMatch(/@TransactionCheck on Orders\.wasPlaced\(\) and OtherOrders\.wasPlaced\(\)/);
  });

  it('are for a topic: another class is refused', async () => {
    class Plain {}
    class Checks {
      @TransactionCheck(Plain)
      check(): TransactionState {
        return 'unknown';
      }
    }
    expect(await failureOf(bench.app({ providers: [Checks] }))).toMatchObject({ code: 'NOT_A_TOPIC' });
  });

  it('are for all messages of a topic: a type of message is refused', async () => {
    class Checks {
      @TransactionCheck(ParcelLost)
      check(): TransactionState {
        return 'unknown';
      }
    }
    const error = await failureOf(bench.app({ providers: [Checks] }));
    expect(error).toMatchObject({ code: 'CONTRACT_CONFLICT' });
    expect(error.message).toMatch(/type 'parcel-lost'.*ctx\.type/s);
  });

  it('have options, which are validated', async () => {
    class Checks {
      @TransactionCheck(OrderPlaced, { timeout: '1ms', concurrency: 0 })
      check(): TransactionState {
        return 'unknown';
      }
    }
    const error = await failureOf(bench.app({ providers: [Checks] }));
    expect(error.code).toBe('INVALID_OPTIONS');
    expect(error.message).toMatch(/concurrency.*timeout/s);
  });
});

/** The compiler is the test. */
class Answers {
  @TransactionCheck(OrderPlaced)
  literal(placed: OrderPlaced): 'commit' | 'rollback' {
    return placed.amount > 0 ? 'commit' : 'rollback';
  }

  // @ts-expect-error -- an answer is one of three words
  @TransactionCheck(OrderPlaced)
  truth(placed: OrderPlaced): boolean {
    return placed.amount > 0;
  }

  // @ts-expect-error -- the topic has another payload
  @TransactionCheck(OrderPlaced)
  other(parcel: Parcel): TransactionState {
    return parcel.id === '' ? 'commit' : 'unknown';
  }
}

it('a handler of checks takes the payload, and answers with a state', () => {
  expect(new Answers().literal(order)).toBe('commit');
});
