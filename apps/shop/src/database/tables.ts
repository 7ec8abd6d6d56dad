import type { SqlTransaction } from '@millrace/core';

const TABLES = [
  `CREATE TABLE IF NOT EXISTS stock (
    stock_code text PRIMARY KEY,
    moved bigint NOT NULL
  )`,
  `CREATE TABLE IF NOT EXISTS sales (
    country text PRIMARY KEY,
    units bigint NOT NULL,
    revenue numeric(30, 3) NOT NULL
  )`,
  // With the request that placed it: one that is executed again after a kill finds itself.
  `CREATE TABLE IF NOT EXISTS orders (
    invoice text PRIMARY KEY,
    request text NOT NULL,
    placed_at timestamptz NOT NULL DEFAULT now()
  )`,
  // A charge is made once for an invoice.
  `CREATE TABLE IF NOT EXISTS charges (
    invoice text PRIMARY KEY,
    id bigint GENERATED ALWAYS AS IDENTITY,
    amount numeric(30, 3) NOT NULL,
    charged_at timestamptz NOT NULL DEFAULT now()
  )`,
  // No constraint on the invoice: a mail that was sent twice has to show.
  `CREATE TABLE IF NOT EXISTS mail (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    invoice text NOT NULL,
    recipient text NOT NULL,
    process integer NOT NULL,
    sent_at timestamptz NOT NULL DEFAULT now()
  )`,
  // The order in which the ordered inventory handled messages is that of the ids.
  `CREATE TABLE IF NOT EXISTS history (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic text NOT NULL,
    customer text NOT NULL,
    slot integer NOT NULL,
    position bigint NOT NULL
  )`,
];

export async function createTables(database: Pick<SqlTransaction, 'query'>): Promise<void> {
  for (const table of TABLES) await database.query(table);
}
