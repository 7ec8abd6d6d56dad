import { quote } from '@millrace/core';
import type { Row } from './columns.js';
import { parseThousandths } from './money.js';
import type { Order, OrderLine } from './order.js';

/** A line together with what it says about its invoice. */
export interface InvoiceLine extends Omit<Order, 'lines'> {
  readonly line: OrderLine;
}

const INVOICE = /^[A-Za-z0-9._-]{1,64}$/;
const QUANTITY = /^-?\d{1,9}$/;
/** The day, the month, and a year behind them. */
const DAY_FIRST = /^(?:[0-2]?\d|3[01])([./-])(?:0?[1-9]|1[0-2])\1(?:\d{4}|\d{2})\b/;
const DECIMAL_COMMA = /^-?\d+,\d+$/;
// eslint-disable-next-line no-control-regex -- what is looked for
const CONTROL = /[\u0000-\u001F\u007F]/;
const MAX_TEXT = 128;

/** The meaning of a row, or everything that is wrong with it. */
export function invoiceLine(row: Row): InvoiceLine | { readonly problems: readonly string[] } {
  const unitPrice = parseThousandths(row.UnitPrice);
  const problems = [...problemsOfTexts(row), ...problemsOfNumbers(row, unitPrice)];
  if (problems.length > 0 || unitPrice === null) return { problems };
  return {
    invoice: row.InvoiceNo,
    customerId: customerId(row.CustomerID),
    country: row.Country,
    placedAt: row.InvoiceDate,
    line: { stockCode: row.StockCode, quantity: Number(row.Quantity), unitPrice },
  };
}

/** Tools that take the column for a number write 17850.0 for customer 17850. */
function customerId(text: string): string | null {
  return text.replace(/\.0$/, '') || null;
}

function problemsOfTexts(row: Row): string[] {
  const problems: string[] = [];
  if (row.InvoiceNo === '') problems.push('InvoiceNo is empty');
  else if (!INVOICE.test(row.InvoiceNo)) problems.push(`InvoiceNo ${quote(row.InvoiceNo)} is no invoice number`);
  if (row.StockCode === '') problems.push('StockCode is empty');
  if (Number.isNaN(Date.parse(row.InvoiceDate))) problems.push(`InvoiceDate ${quote(row.InvoiceDate)} ${problemOfDate(row.InvoiceDate)}`);
  for (const column of ['StockCode', 'InvoiceDate', 'CustomerID', 'Country'] as const) {
    if (row[column].length > MAX_TEXT) problems.push(`${column} is longer than ${MAX_TEXT} characters`);
    if (CONTROL.test(row[column])) problems.push(`${column} ${quote(row[column])} holds control characters`);
  }
  return problems;
}

function problemsOfNumbers(row: Row, unitPrice: number | null): string[] {
  const problems: string[] = [];
  if (!QUANTITY.test(row.Quantity)) problems.push(`Quantity ${quote(row.Quantity)} is no whole number of at most 9 digits`);
  if (unitPrice === null) problems.push(`UnitPrice ${quote(row.UnitPrice)} ${problemOfPrice(row.UnitPrice)}`);
  return problems;
}

function problemOfDate(text: string): string {
  return DAY_FIRST.test(text) ? 'begins with the day: write the year first, as in 2010-12-31' : 'is no date';
}

function problemOfPrice(text: string): string {
  return DECIMAL_COMMA.test(text) ? 'has a decimal comma: write a point' : 'is no amount with at most 3 decimals';
}
