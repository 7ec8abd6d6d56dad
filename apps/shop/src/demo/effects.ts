import type { SqlDatabase } from '@millrace/outbox';

/** The charges of one invoice. */
export interface Charged {
  readonly charges: number;
  /** The sum of them: thousandths. */
  readonly amount: bigint;
}

/** The effects of the handlers and of the payments, as they stand in the database. */
export interface Effects {
  /** Thousandths. */
  readonly revenue: bigint;
  readonly units: bigint;
  /** Pieces moved, by stock code. */
  readonly moved: ReadonlyMap<string, bigint>;
  /** Mails, by invoice. */
  readonly mails: ReadonlyMap<string, number>;
  /** By invoice. */
  readonly charged: ReadonlyMap<string, Charged>;
}

/** Mails that were sent so far; one that was sent twice counts twice. */
export async function countMails(database: SqlDatabase): Promise<number> {
  const { rows } = await database.query<{ mails: number }>('SELECT count(*)::int AS mails FROM mail');
  return rows[0]?.mails ?? 0;
}

const CHARGED = `
  SELECT invoice, count(*)::int AS charges, (sum(amount) * 1000)::numeric(40, 0)::text AS amount FROM charges GROUP BY invoice`;

export async function readEffects(database: SqlDatabase): Promise<Effects> {
  const sales = await database.query<{ revenue: string; units: string }>(
    'SELECT (coalesce(sum(revenue), 0) * 1000)::numeric(40, 0)::text AS revenue, coalesce(sum(units), 0)::text AS units FROM sales',
  );
  const stock = await database.query<{ code: string; moved: string }>('SELECT stock_code AS code, moved::text AS moved FROM stock');
  const mail = await database.query<{ invoice: string; mails: number }>('SELECT invoice, count(*)::int AS mails FROM mail GROUP BY invoice');
  const charged = await database.query<{ invoice: string; charges: number; amount: string }>(CHARGED);
  return {
    revenue: BigInt(sales.rows[0]?.revenue ?? 0),
    units: BigInt(sales.rows[0]?.units ?? 0),
    moved: new Map(stock.rows.map(({ code, moved }) => [code, BigInt(moved)])),
    mails: new Map(mail.rows.map(({ invoice, mails }) => [invoice, mails])),
    charged: new Map(charged.rows.map(({ invoice, charges, amount }) => [invoice, { charges, amount: BigInt(amount) }])),
  };
}
