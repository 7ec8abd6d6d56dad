import { randomUUID } from 'node:crypto';
import { asError } from '@millrace/core';
import { Injectable } from '@nestjs/common';
import { CheckoutApi, type PlaceResult } from '../contracts/checkout-api.js';
import type { Order } from '../orders/order.js';
import { askAgain } from './ask-again.js';

/** Longer than the checkout tries to charge an order, and than its process takes to be started again. */
const TRY_FOR_MS = 90_000;

/** The invoice was not placed, as far as is known. */
export class NotPlacedError extends Error {
  readonly invoice: string;

  constructor(invoice: string, cause: Error) {
    super(`invoice ${invoice} was not placed: ${cause.message}`, { cause });
    this.name = 'NotPlacedError';
    this.invoice = invoice;
  }
}

/** Has orders and cancellations placed by the service of the checkout, as a customer does. An invoice counts once. */
@Injectable()
export class OrderPlacement {
  readonly #checkout: CheckoutApi;

  constructor(checkout: CheckoutApi) {
    this.#checkout = checkout;
  }

  /**
   * Asks again for 90 seconds when there was no answer or nobody to answer, always under the name of the first request, so that
   * this is executed once.
   *
   * @throws NotPlacedError
   */
  async place(order: Order, headers: Readonly<Record<string, string>> = {}): Promise<PlaceResult> {
    const requestId = `${order.invoice}:${randomUUID()}`;
    const request = { ...order, lines: [...order.lines] };
    try {
      return await askAgain(() => this.#checkout.place(request, { requestId, headers }), TRY_FOR_MS);
    } catch (thrown) {
      throw new NotPlacedError(order.invoice, asError(thrown));
    }
  }
}
