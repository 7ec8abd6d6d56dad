import type { SqlDatabase } from '@millrace/outbox';

/** The charges of one invoice. */
export interface Charged {
  readonly charges: number;
  /** The sum of them: thousandths. */
  readonly amount: bigint;
}

/** The effects of the checkout, the handlers and the payments, as they stand in the database. */
export interface Effects {
  /** Thousandths. */
  readonly revenue: bigint;
  readonly units: bigint;
  /** Pieces moved, by stock code. */
  readonly moved: ReadonlyMap<string, bigint>;
  /** Invoices that were placed. */
  readonly placed: ReadonlySet<string>;
  /** The processes that sent a mail, in their order, by invoice. */
  readonly mails: ReadonlyMap<string, readonly number[]>;
  /** By invoice. */
  readonly charged: ReadonlyMap<string, Charged>;
}

/** Orders that have a mail so far. */
export async function countMails(database: SqlDatabase): Promise<number> {
  const { rows } = await database.query<{ mails: number }>('SELECT count(DISTINCT invoice)::int AS mails FROM mail');
  return rows[0]?.mails ?? 0;
}

const CHARGED = `
  SELECT invoice, count(*)::int AS charges, (sum(amount) * 1000)::numeric(40, 0)::text AS amount FROM charges GROUP BY invoice`;

const MAILS = 'SELECT invoice, array_agg(process ORDER BY id) AS processes FROM mail GROUP BY invoice';

export async function readEffects(database: SqlDatabase): Promise<Effects> {
  const sales = await database.query<{ revenue: string; units: string }>(
    'SELECT (coalesce(sum(revenue), 0) * 1000)::numeric(40, 0)::text AS revenue, coalesce(sum(units), 0)::text AS units FROM sales',
  );
  const stock = await database.query<{ code: string; moved: string }>('SELECT stock_code AS code, moved::text AS moved FROM stock');
  const orders = await database.query<{ invoice: string }>('SELECT invoice FROM orders');
  const mail = await database.query<{ invoice: string; processes: number[] }>(MAILS);
  const charged = await database.query<{ invoice: string; charges: number; amount: string }>(CHARGED);
  return {
    revenue: BigInt(sales.rows[0]?.revenue ?? 0),
    units: BigInt(sales.rows[0]?.units ?? 0),
    moved: new Map(stock.rows.map(({ code, moved }) => [code, BigInt(moved)])),
    placed: new Set(orders.rows.map(({ invoice }) => invoice)),
    mails: new Map(mail.rows.map(({ invoice, processes }) => [invoice, processes])),
    charged: new Map(charged.rows.map(({ invoice, charges, amount }) => [invoice, { charges, amount: BigInt(amount) }])),
  };
}
