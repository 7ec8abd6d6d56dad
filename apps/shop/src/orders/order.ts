/** One line of an invoice. */
export interface OrderLine {
  readonly stockCode: string;
  /** Pieces; negative for what came back, or was written off. */
  readonly quantity: number;
  /** Thousandths; zero for gifts and write-offs, negative for bad debts. */
  readonly unitPrice: number;
}

/** An invoice: an order, or the cancellation of one. */
export interface Order {
  readonly invoice: string;
  /** Null when the shop does not know who bought. */
  readonly customerId: string | null;
  readonly country: string;
  /** As it stands in the file. */
  readonly placedAt: string;
  readonly lines: readonly OrderLine[];
}

export function isCancellation(order: Pick<Order, 'invoice'>): boolean {
  return order.invoice.startsWith('C');
}
