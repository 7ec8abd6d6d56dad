import { asError } from '@millrace/core';
import { Injectable } from '@nestjs/common';
import { PaymentsApi } from '../contracts/payments-api.js';
import { formatThousandths } from '../orders/money.js';
import type { Order } from '../orders/order.js';
import { askAgain } from '../placement/ask-again.js';
import { Totals } from '../totals/totals.js';

/** Long enough for a payments process to be started again, more than once. */
const TRY_FOR_MS = 45_000;

/** The order was not charged, as far as is known, and so it was not placed. */
export class NotChargedError extends Error {
  readonly code = 'NOT_CHARGED';

  constructor(invoice: string, cause: Error) {
    super(`invoice ${invoice} was not charged: ${cause.message}`, { cause });
    this.name = 'NotChargedError';
  }
}

/** Has orders charged by the service of payments. */
@Injectable()
export class Cashier {
  readonly #payments: PaymentsApi;

  constructor(payments: PaymentsApi) {
    this.#payments = payments;
  }

  /**
   * Tries again for 45 seconds when there was no answer or nobody to answer, always under the name of the first request: it is
   * executed once, and charged once even if a process that was killed had begun it.
   *
   * @throws NotChargedError
   */
  async charge(order: Pick<Order, 'invoice' | 'lines'>): Promise<void> {
    const { invoice } = order;
    const request = { invoice, amount: formatThousandths(Totals.of([order]).revenue) };
    try {
      await askAgain(() => this.#payments.charge(request, { requestId: `order:${invoice}` }), TRY_FOR_MS);
    } catch (thrown) {
      throw new NotChargedError(invoice, asError(thrown));
    }
  }
}
