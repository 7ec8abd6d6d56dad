import type { Order } from '../orders/order.js';

/** The totals of orders, computed from them directly, to be compared with the effects of the handlers. */
export class Totals {
  /** Thousandths. */
  revenue = 0n;
  units = 0n;
  /** Pieces moved, by stock code. */
  readonly moved = new Map<string, bigint>();

  static of<T extends Pick<Order, 'lines'>>(orders: Iterable<T>): Totals {
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
