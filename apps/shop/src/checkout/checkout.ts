import { type CallContext, InjectDatabase, Outbox, RpcService, type SqlDatabase } from '@millrace/nestjs';
import type { SqlTransaction } from '@millrace/core';
import { Injectable } from '@nestjs/common';
import { CheckoutApi, type PlaceRequest, type PlaceResult } from '../contracts/checkout-api.js';
import type { Invoice } from '../contracts/invoice.js';
import { OrderCancelled } from '../contracts/order-cancelled.js';
import { OrderPlaced } from '../contracts/order-placed.js';
import { isCancellation } from '../orders/order.js';
import { poisonAmong } from '../placement/poison.js';
import { Cashier } from './cashier.js';

const PLACE = 'INSERT INTO orders (invoice, request) VALUES ($1, $2) ON CONFLICT (invoice) DO NOTHING';
const PLACED_BY = 'SELECT request FROM orders WHERE invoice = $1';

/**
 * Takes orders and cancellations. An order is charged first. Then its row and its message are written in one transaction: when
 * this process is killed, there are both or none, and the request is executed again by another one.
 */
@Injectable()
@RpcService(CheckoutApi)
export class Checkout {
  readonly #cashier: Cashier;
  readonly #database: SqlDatabase;
  readonly #outbox: Outbox;

  constructor(cashier: Cashier, @InjectDatabase() database: SqlDatabase, outbox: Outbox) {
    this.#cashier = cashier;
    this.#database = database;
    this.#outbox = outbox;
  }

  /** @throws NotChargedError nothing is placed then */
  async place(order: PlaceRequest, { requestId, headers }: Pick<CallContext, 'requestId' | 'headers'>): Promise<PlaceResult> {
    const isOrder = !isCancellation(order);
    if (isOrder) await this.#cashier.charge(order);
    return this.#database.transaction(async (transaction) => {
      const { rowCount } = await transaction.query(PLACE, [order.invoice, requestId]);
      if (rowCount === 0) return { duplicate: (await placedBy(transaction, order)) !== requestId };
      await this.#outbox.publish(transaction, isOrder ? OrderPlaced : OrderCancelled, order, { headers: poisonAmong(headers) });
      return { duplicate: false };
    });
  }
}

/** The request that placed an invoice: the same one again when its process was killed before it had answered. */
async function placedBy(transaction: SqlTransaction, { invoice }: Invoice): Promise<string | undefined> {
  const { rows } = await transaction.query<{ request: string }>(PLACED_BY, [invoice]);
  return rows[0]?.request;
}
