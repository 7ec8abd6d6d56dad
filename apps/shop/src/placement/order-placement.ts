import { Publisher, type PublishResult } from '@millrace/nestjs';
import { Injectable } from '@nestjs/common';
import { OrderCancelled } from '../contracts/order-cancelled.js';
import { OrderPlaced } from '../contracts/order-placed.js';
import { isCancellation, type Order } from '../orders/order.js';
import { Cashier } from './cashier.js';

/**
 * Takes orders and cancellations. An order is charged, then published; a cancellation is published alone. An invoice counts
 * once, however often it is placed.
 */
@Injectable()
export class OrderPlacement {
  readonly #cashier: Cashier;
  readonly #publisher: Publisher;

  constructor(cashier: Cashier, publisher: Publisher) {
    this.#cashier = cashier;
    this.#publisher = publisher;
  }

  /** @throws NotChargedError the order is not published then; what publishing throws */
  async place(order: Order, headers: Readonly<Record<string, string>> = {}): Promise<PublishResult> {
    const content = { ...order, lines: [...order.lines] };
    const options = { idempotencyKey: order.invoice, headers: { ...headers } };
    if (isCancellation(order)) return this.#publisher.publish(OrderCancelled, content, options);
    await this.#cashier.charge(order);
    return this.#publisher.publish(OrderPlaced, content, options);
  }
}
