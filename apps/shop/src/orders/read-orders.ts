import { MillraceError } from '@millrace/core';
import { Header, notOrders } from './columns.js';
import { invoiceLine } from './invoice-line.js';
import { OrderBook } from './order-book.js';
import { orderFiles } from './order-files.js';
import type { Order } from './order.js';
import { physicalLines } from './physical-lines.js';
import { type CsvRecord, RecordAssembler } from './records.js';

/** A line that is no part of an order. */
export interface MalformedLine {
  readonly file: string;
  /** Counted from 1, the header included. */
  readonly line: number;
  readonly problem: string;
}

export interface OrdersRead {
  readonly files: number;
  /** Lines with orders, the malformed ones included; headers and empty lines are not counted. */
  readonly lines: number;
  readonly malformed: number;
  readonly orders: readonly Order[];
}

/**
 * Reads a file or a folder of orders. A malformed line is told and left out; the rest of its invoice still counts.
 *
 * @throws MillraceError INVALID_INPUT when there is no such file, a file without the columns, or no order at all
 */
export async function readOrders(path: string, onMalformed: (malformed: MalformedLine) => void): Promise<OrdersRead> {
  const files = await orderFiles(path);
  const reading = new Reading(onMalformed);
  for (const file of files) await reading.read(file);
  const orders = reading.book.orders();
  if (orders.length > 0) return { files: files.length, lines: reading.lines, malformed: reading.malformed, orders };
  const found = reading.malformed > 0 ? `all of its ${reading.malformed} lines are malformed` : 'it has no lines';
  throw new MillraceError('INVALID_INPUT', `There is no order in ${path}: ${found}.`);
}

class Reading {
  readonly book = new OrderBook();
  lines = 0;
  malformed = 0;
  readonly #onMalformed: (malformed: MalformedLine) => void;

  constructor(onMalformed: (malformed: MalformedLine) => void) {
    this.#onMalformed = onMalformed;
  }

  async read(file: string): Promise<void> {
    const assembler = new RecordAssembler();
    let header: Header | null = null;
    for await (const record of records(file, assembler)) {
      if (header) this.#take(file, record, header);
      else header = headerOf(file, record);
      assembler.width = header.width;
    }
    if (!header) throw notOrders(file, ['the file is empty']);
  }

  #take(file: string, record: CsvRecord, header: Header): void {
    this.lines += 1;
    const problem = this.#enter(record, header);
    if (problem === null) return;
    this.malformed += 1;
    this.#onMalformed({ file, line: record.line, problem });
  }

  /** Null when the record was a line of an order. */
  #enter(record: CsvRecord, header: Header): string | null {
    if ('problem' in record) return record.problem;
    const line = invoiceLine(header.row(record.fields));
    if ('problems' in line) return line.problems.join('; ');
    this.book.add(line);
    return null;
  }
}

function headerOf(file: string, record: CsvRecord): Header {
  if ('problem' in record) throw notOrders(file, [record.problem]);
  return new Header(file, record.fields);
}

async function* records(file: string, assembler: RecordAssembler): AsyncGenerator<CsvRecord> {
  for await (const line of physicalLines(file)) yield* assembler.push(line);
  yield* assembler.end();
}
