import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { generateOrders, type Invoice } from '../src/orders/generate-orders.js';
import { isCancellation, type Order } from '../src/orders/order.js';
import { readOrders } from '../src/orders/read-orders.js';
import { writeOrders } from '../src/orders/write-orders.js';
import { Totals } from '../src/totals/totals.js';
import { TemporaryFolder } from './temporary-folder.js';

const folder = new TemporaryFolder();
beforeAll(() => folder.make());
afterAll(() => folder.remove());

function generated(seed: number, count: number): Invoice[] {
  return [...generateOrders(seed, { count })];
}

describe('generated orders', () => {
  test('are the same for the same seed, and others for another', () => {
    expect(generated(7, 300)).toEqual(generated(7, 300));
    expect(generated(7, 300)).not.toEqual(generated(8, 300));
  });

  test('are as many as asked for; cancellations come on top', () => {
    const cancelled = generated(7, 200).map((invoice) => isCancellation({ invoice: invoice[0]?.InvoiceNo ?? '' }));
    expect(cancelled.filter((is) => !is)).toHaveLength(200);
    expect(cancelled.filter((is) => is).length).toBeGreaterThan(10);
  });

  test.each([1, 7, 4_294_967_295])('have the oddities of real ones (seed %d)', (seed) => {
    const rows = generated(seed, 200).flat();
    const has = (what: (row: (typeof rows)[number]) => boolean): boolean => rows.some(what);
    expect({
      noCustomer: has((row) => row.CustomerID === ''),
      noPrice: has((row) => Number(row.UnitPrice) === 0),
      thirdDecimal: has((row) => /\.\d{3}$/.test(row.UnitPrice)),
      negativePrice: has((row) => row.UnitPrice.startsWith('-') && row.InvoiceNo.startsWith('A')),
      writeOff: has((row) => row.Quantity.startsWith('-') && /^\d/.test(row.InvoiceNo)),
      cancelled: has((row) => row.Quantity.startsWith('-') && row.InvoiceNo.startsWith('C')),
      quoted: has((row) => row.Description.includes('"') && row.Description.includes(',')),
      longInvoice: generated(seed, 200).some((invoice) => invoice.length > 100),
    }).toEqual({
      noCustomer: true,
      noPrice: true,
      thirdDecimal: true,
      negativePrice: true,
      writeOff: true,
      cancelled: true,
      quoted: true,
      longInvoice: true,
    });
  });

  test('are read back from their files as they were made', async () => {
    const invoices = generated(7, 500);
    const path = join(folder.path, 'made');
    await mkdir(path);
    await writeOrders(path, invoices);
    const { orders, files, lines, malformed } = await readOrders(path, { encoding: 'utf-8', onMalformed: () => undefined });
    expect({ files, lines, malformed }).toEqual({ files: 3, lines: invoices.flat().length, malformed: 0 });
    expect(byInvoice(orders)).toEqual(byInvoice(invoices.map(expected)));
    expect(Totals.of(orders).revenue).toBe(revenueOf(invoices));
  });
});

function byInvoice(orders: readonly Order[]): Record<string, Order> {
  const sorted = orders.map((order) => ({ ...order, lines: [...order.lines].sort((a, b) => text(a).localeCompare(text(b))) }));
  return Object.fromEntries(sorted.map((order) => [order.invoice, order]));
}

function text(value: unknown): string {
  return JSON.stringify(value);
}

/** Without the code under test: prices have three decimals at most, so thousandths round exactly. */
function expected(rows: Invoice): Order {
  const [first] = rows;
  if (!first) throw new Error('an invoice without lines was made');
  const lines = rows.map((row) => ({
    stockCode: row.StockCode,
    quantity: Number(row.Quantity),
    unitPrice: Math.round(Number(row.UnitPrice) * 1_000),
  }));
  return { invoice: first.InvoiceNo, customerId: first.CustomerID.split('.')[0] || null, country: first.Country, placedAt: first.InvoiceDate, lines };
}

function revenueOf(invoices: readonly Invoice[]): bigint {
  return invoices.flat().reduce((sum, row) => sum + BigInt(row.Quantity) * BigInt(Math.round(Number(row.UnitPrice) * 1_000)), 0n);
}
