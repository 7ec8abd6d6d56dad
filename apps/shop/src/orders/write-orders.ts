import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { COLUMNS } from './columns.js';
import type { Invoice } from './generate-orders.js';

const FILES = 3;

/** Writes invoices into a few CSV files of a folder; the last line of some goes to another file than the others. */
export async function writeOrders(folder: string, invoices: Iterable<Invoice>): Promise<void> {
  const files: string[][] = Array.from({ length: FILES }, () => [record(COLUMNS)]);
  let count = 0;
  for (const invoice of invoices) {
    count += 1;
    for (const [index, row] of invoice.entries()) {
      const strays = count % 5 === 0 && index > 0 && index === invoice.length - 1;
      files[(count + (strays ? 1 : 0)) % FILES]?.push(record(COLUMNS.map((column) => row[column])));
    }
  }
  await Promise.all(files.map((lines, index) => write(join(folder, `generated-${index + 1}.csv`), lines)));
}

function record(fields: readonly string[]): string {
  return `${fields.map(field).join(',')}\n`;
}

function field(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function write(file: string, lines: readonly string[]): Promise<void> {
  return pipeline(Readable.from(lines), createWriteStream(file));
}
