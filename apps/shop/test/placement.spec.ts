import { describe, expect, test } from '@jest/globals';
import { type CallOptions, type Publisher, RpcNoInstanceError, RpcRemoteError, RpcTimeoutError } from '@millrace/nestjs';
import type { ChargeRequest, ChargeResult, PaymentsApi } from '../src/contracts/payments-api.js';
import { Replay } from '../src/demo/replay.js';
import type { Order } from '../src/orders/order.js';
import { Cashier } from '../src/placement/cashier.js';
import { OrderPlacement } from '../src/placement/order-placement.js';

const NOBODY = new RpcNoInstanceError('nobody serves payments');
const LATE = new RpcTimeoutError('no answer', { retryable: true, mayHaveRun: true });
const REFUSED = new RpcRemoteError('it refuses', { name: 'Error', message: 'other amount' });

/** Payments that fail with these errors first, and a publisher; what is asked of both is written down. */
class Shop {
  readonly log: unknown[][] = [];
  readonly placement: OrderPlacement;
  readonly #failures: Error[];

  constructor(...failures: Error[]) {
    this.#failures = failures;
    const payments: PaymentsApi = { charge: (request, options) => this.#charge(request, options) };
    const publish = async (topic: { name: string }, { invoice }: Order): Promise<object> => {
      this.log.push([topic.name, invoice]);
      return { duplicate: false };
    };
    this.placement = new OrderPlacement(new Cashier(payments), { publish } as unknown as Publisher);
  }

  async #charge({ invoice, amount }: ChargeRequest, options?: CallOptions): Promise<ChargeResult> {
    this.log.push(['charge', invoice, amount, options?.requestId]);
    const failure = this.#failures.shift();
    if (failure) throw failure;
    return { chargeId: '1' };
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
  test('is charged its exact sum, then published', async () => {
    const { placement, log } = new Shop();
    await placement.place(order('1'));
    expect(log).toEqual([CHARGE, ['OrderPlaced', '1']]);
  });

  test('is not charged when it is a cancellation', async () => {
    const { placement, log } = new Shop();
    await placement.place(order('C1'));
    expect(log).toEqual([['OrderCancelled', 'C1']]);
  });

  test('is charged by the same request again when nobody was there to answer, or no answer came', async () => {
    const { placement, log } = new Shop(NOBODY, LATE);
    await placement.place(order('1'));
    expect(log).toEqual([CHARGE, CHARGE, CHARGE, ['OrderPlaced', '1']]);
  });

  test('is not published when payments refuse it, and is not forgotten', async () => {
    const { placement, log } = new Shop(REFUSED);
    await expect(placement.place(order('1'))).rejects.toEqual(expect.objectContaining({ name: 'NotChargedError', invoice: '1', cause: REFUSED }));
    expect(log).toEqual([CHARGE]);
  });
});

describe('a replay', () => {
  test('goes on with the other orders when one cannot be charged, and names it', async () => {
    const { placement } = new Shop(REFUSED);
    const replay = new Replay([[{ order: order('1'), poison: false }, { order: order('C2'), poison: false }]], placement);
    await replay.publishNext();
    expect([...replay.failures]).toEqual([['1', 'it refuses']]);
    expect(replay.state).toEqual({ placed: 0, published: 1, deliveries: 1, duplicates: 0, remaining: 0 });
  });
});
