import type { InvoiceLine } from './invoice-line.js';
import type { Order, OrderLine } from './order.js';

/** Collects lines to orders: the lines of an invoice may be apart, even in several files. */
export class OrderBook {
  readonly #orders = new Map<string, Order & { lines: OrderLine[] }>();

  /** The first line of an invoice decides the properties of the invoice. */
  add({ line, ...invoice }: InvoiceLine): void {
    const known = this.#orders.get(invoice.invoice);
    if (known) known.lines.push(line);
    else this.#orders.set(invoice.invoice, { ...invoice, lines: [line] });
  }

  /** In the order in which the invoices were met first. */
  orders(): Order[] {
    return [...this.#orders.values()];
  }
}
