import { describe, expect, test } from '@jest/globals';
import { type CallOptions, RpcNoInstanceError, RpcRemoteError, RpcTimeoutError } from '@millrace/nestjs';
import { Cashier } from '../src/checkout/cashier.js';
import type { CheckoutApi, PlaceRequest, PlaceResult } from '../src/contracts/checkout-api.js';
import type { ChargeRequest, ChargeResult, PaymentsApi } from '../src/contracts/payments-api.js';
import { Replay } from '../src/demo/replay.js';
import type { Order } from '../src/orders/order.js';
import { OrderPlacement } from '../src/placement/order-placement.js';
import { poisonHeaders } from '../src/placement/poison.js';

const NOBODY = new RpcNoInstanceError('nobody serves it');
const LATE = new RpcTimeoutError('no answer', { retryable: true, mayHaveRun: true });
const REFUSED = new RpcRemoteError('it refuses', { name: 'Error', message: 'other amount' });

/** Payments and a checkout that fail with these errors first; what is asked of both is written down. */
class Shop implements PaymentsApi, CheckoutApi {
  readonly log: unknown[][] = [];
  readonly options: (CallOptions | undefined)[] = [];
  readonly #failures: Error[];

  constructor(...failures: Error[]) {
    this.#failures = failures;
  }

  async charge({ invoice, amount }: ChargeRequest, options?: CallOptions): Promise<ChargeResult> {
    this.#ask(['charge', invoice, amount, options?.requestId]);
    return { chargeId: '1' };
  }

  async place({ invoice }: PlaceRequest, options?: CallOptions): Promise<PlaceResult> {
    this.options.push(options);
    this.#ask(['place', invoice]);
    return { duplicate: false };
  }

  #ask(call: unknown[]): void {
    this.log.push(call);
    const failure = this.#failures.shift();
    if (failure) throw failure;
  }
}

function order(invoice: string): Order {
  const lines = [
    { stockCode: 'A', quantity: 3, unitPrice: 2_550 },
    { stockCode: 'B', quantity: 999_999_999, unitPrice: 999_999_999_999 },
  ];
  return { invoice, customerId: null, country: 'EIRE', placedAt: '2024-01-08', lines };
}

const CHARGE = ['charge', '1', '999999998999000007.651', 'order:1'];

describe('an order', () => {
  test('is charged its exact sum, by the same request again when nobody was there to answer, or no answer came', async () => {
    const shop = new Shop(NOBODY, LATE);
    await new Cashier(shop).charge(order('1'));
    expect(shop.log).toEqual([CHARGE, CHARGE, CHARGE]);
  });

  test('is not charged when payments refuse it', async () => {
    const refused = { name: 'NotChargedError', code: 'NOT_CHARGED', message: 'invoice 1 was not charged: it refuses', cause: REFUSED };
    await expect(new Cashier(new Shop(REFUSED)).charge(order('1'))).rejects.toEqual(expect.objectContaining(refused));
  });

  test('is placed by the same request again, and by another one when it is placed once more', async () => {
    const shop = new Shop(NOBODY, LATE);
    const placement = new OrderPlacement(shop);
    await placement.place(order('1'), poisonHeaders);
    await placement.place(order('1'));
    expect(shop.log).toEqual(Array(4).fill(['place', '1']));
    const [first, second, third, other] = shop.options.map((options) => options?.requestId);
    expect([second, third]).toEqual([first, first]);
    expect(other).not.toBe(first);
    expect(shop.options.map((options) => options?.headers)).toEqual([poisonHeaders, poisonHeaders, poisonHeaders, {}]);
  });

  test('that cannot be placed is not forgotten', async () => {
    const placing = new OrderPlacement(new Shop(REFUSED)).place(order('1'));
    await expect(placing).rejects.toEqual(expect.objectContaining({ name: 'NotPlacedError', invoice: '1', cause: REFUSED }));
  });
});

describe('a replay', () => {
  test('goes on with the others when one invoice cannot be placed, and names it', async () => {
    const placement = new OrderPlacement(new Shop(REFUSED));
    const replay = new Replay([[{ order: order('1'), poison: false }, { order: order('C2'), poison: false }]], placement);
    await replay.publishNext();
    expect([...replay.failures]).toEqual([['1', 'it refuses']]);
    expect(replay.state).toEqual({ placed: 0, published: 1, deliveries: 1, duplicates: 0, remaining: 0 });
  });
});
