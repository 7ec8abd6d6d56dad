import type { SqlDatabase } from '@millrace/outbox';

/** How far the ordered inventory kept the order of each customer, as it stands in the database. */
export interface OrderKept {
  /** Orders and cancellations that it wrote down. */
  readonly messages: number;
  /** Customers, and invoices without one, that had a message handled after a later one. */
  readonly disordered: readonly string[];
}

const DISORDERED = `
  SELECT DISTINCT customer FROM (
    SELECT customer, position, max(position) OVER (PARTITION BY topic, customer ORDER BY id) AS latest FROM history
  ) AS past WHERE position < latest ORDER BY customer`;

export async function readOrderKept(database: SqlDatabase): Promise<OrderKept> {
  const count = await database.query<{ messages: number }>('SELECT count(*)::int AS messages FROM history');
  const { rows } = await database.query<{ customer: string }>(DISORDERED);
  return { messages: count.rows[0]?.messages ?? 0, disordered: rows.map(({ customer }) => customer) };
}
