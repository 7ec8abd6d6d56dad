import { type DeliveryContext, exponential, Subscribe } from '@millrace/nestjs';
import { Injectable } from '@nestjs/common';
import type { Invoice } from '../contracts/invoice.js';
import { OrderCancelled } from '../contracts/order-cancelled.js';
import { OrderPlaced } from '../contracts/order-placed.js';
import { refusePoison } from '../placement/poison.js';

export const SUBSCRIPTION = {
  group: 'inventory',
  inbox: true,
  retry: { attempts: 5, backoff: exponential('200ms', { max: '2s' }) },
};

// Rows are taken in the order of their codes, so that orders handled at once cannot wait for each other in a circle.
const MOVE_STOCK = `
  INSERT INTO stock AS old (stock_code, moved)
  SELECT code, sum(pieces) FROM unnest($1::text[], $2::bigint[]) AS line (code, pieces) GROUP BY code ORDER BY code
  ON CONFLICT (stock_code) DO UPDATE SET moved = old.moved + excluded.moved`;

const ADD_SALES = `
  INSERT INTO sales AS old (country, units, revenue)
  SELECT $1, sum(pieces), sum(pieces::numeric * price) * 0.001 FROM unnest($2::bigint[], $3::bigint[]) AS line (pieces, price)
  ON CONFLICT (country) DO UPDATE SET units = old.units + excluded.units, revenue = old.revenue + excluded.revenue`;

/**
 * Counts sold pieces and their revenue by increments. They are written in the transaction that also records
 * the message, so that an order counts once however often it is delivered.
 */
@Injectable()
export class Inventory {
  @Subscribe(OrderPlaced, SUBSCRIPTION)
  async placed(order: OrderPlaced, context: DeliveryContext): Promise<void> {
    refusePoison(context);
    await this.#move(order, context);
  }

  @Subscribe(OrderCancelled, SUBSCRIPTION)
  async cancelled(order: OrderCancelled, context: DeliveryContext): Promise<void> {
    await this.#move(order, context);
  }

  async #move({ country, lines }: Invoice, { transaction }: DeliveryContext): Promise<void> {
    const pieces = lines.map((line) => line.quantity);
    await transaction.query(MOVE_STOCK, [lines.map((line) => line.stockCode), pieces]);
    await transaction.query(ADD_SALES, [country, pieces, lines.map((line) => line.unitPrice)]);
  }
}
