import { setTimeout as pause } from 'node:timers/promises';
import { asError } from '@millrace/core';
import { isMillraceError } from '@millrace/nestjs';
import { Injectable } from '@nestjs/common';
import { PaymentsApi } from '../contracts/payments-api.js';
import { formatThousandths } from '../orders/money.js';
import type { Order } from '../orders/order.js';
import { Totals } from '../totals/totals.js';

/** Long enough for a payments process to be started again, more than once. */
const TRY_FOR_MS = 45_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1_000;

/** The order was not charged, as far as is known, and so it was not placed. */
export class NotChargedError extends Error {
  readonly invoice: string;

  constructor(invoice: string, cause: Error) {
    super(`invoice ${invoice} was not charged: ${cause.message}`, { cause });
    this.name = 'NotChargedError';
    this.invoice = invoice;
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
  async charge(order: Order): Promise<void> {
    const { invoice } = order;
    const request = { invoice, amount: formatThousandths(Totals.of([order]).revenue) };
    const until = performance.now() + TRY_FOR_MS;
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        await this.#payments.charge(request, { requestId: `order:${invoice}` });
        return;
      } catch (thrown) {
        const isFinal = !isMillraceError(thrown) || !thrown.retryable || performance.now() > until;
        if (isFinal) throw new NotChargedError(invoice, asError(thrown));
      }
      await pause(pauseMs);
    }
  }
}
