import type { Order } from '../orders/order.js';

/** What orders come to: computed from them directly, to be held against what the handlers did. */
export class Totals {
  /** Thousandths. */
  revenue = 0n;
  units = 0n;
  /** Pieces moved, by stock code. */
  readonly moved = new Map<string, bigint>();

  static of(orders: Iterable<Order>): Totals {
    const totals = new Totals();
    for (const order of orders) totals.add(order);
    return totals;
  }

  add(order: Pick<Order, 'lines'>): void {
    for (const { stockCode, quantity, unitPrice } of order.lines) {
      const pieces = BigInt(quantity);
      this.revenue += pieces * BigInt(unitPrice);
      this.units += pieces;
      this.moved.set(stockCode, (this.moved.get(stockCode) ?? 0n) + pieces);
    }
  }
}
