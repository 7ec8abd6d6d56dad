import { Publisher, type PublishResult } from '@millrace/nestjs';
import { Injectable } from '@nestjs/common';
import { OrderCancelled } from '../contracts/order-cancelled.js';
import { OrderPlaced } from '../contracts/order-placed.js';
import { isCancellation, type Order } from '../orders/order.js';

/** Takes orders and cancellations and publishes them. An invoice counts once, however often it is placed. */
@Injectable()
export class OrderPlacement {
  readonly #publisher: Publisher;

  constructor(publisher: Publisher) {
    this.#publisher = publisher;
  }

  place(order: Order, headers: Readonly<Record<string, string>> = {}): Promise<PublishResult> {
    const content = { ...order, lines: [...order.lines] };
    const options = { idempotencyKey: order.invoice, headers: { ...headers } };
    return isCancellation(order)
      ? this.#publisher.publish(OrderCancelled, content, options)
      : this.#publisher.publish(OrderPlaced, content, options);
  }
}
