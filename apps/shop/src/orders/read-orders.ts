import { MillraceError } from '@millrace/core';
import { Header, notOrders } from './columns.js';
import { invoiceLine } from './invoice-line.js';
import { OrderBook } from './order-book.js';
import { orderFiles } from './order-files.js';
import type { Order } from './order.js';
import { type FileReading, type PhysicalLine, physicalLines } from './physical-lines.js';
import { type CsvRecord, RecordAssembler } from './records.js';

/** A line that is no part of an order. */
export interface MalformedLine {
  readonly file: string;
  /** Counted from 1, the header included. */
  readonly line: number;
  readonly problem: string;
}

/** The encoding of the orders, and the listener for lines that are left out. */
export interface OrderReading extends FileReading {
  readonly onMalformed: (malformed: MalformedLine) => void;
}

export interface OrdersRead {
  readonly files: number;
  /** Names of files of the folder that are hidden, and so were not read. */
  readonly hidden: readonly string[];
  /** Lines with orders, the malformed ones included; headers and empty lines are not counted. */
  readonly lines: number;
  readonly malformed: number;
  readonly orders: readonly Order[];
}

/**
 * Reads a file or a folder of orders. A malformed line is reported and left out; the rest of its invoice still counts.
 *
 * @throws MillraceError INVALID_INPUT when there is no such file, one that is of another format or without the columns, or
 *   no order at all; an AbortError when the signal aborts
 */
export async function readOrders(path: string, options: OrderReading): Promise<OrdersRead> {
  const { files, hidden } = await orderFiles(path);
  const reading = new Reading(options);
  for (const file of files) await reading.read(file);
  const { lines, malformed } = reading;
  const orders = reading.book.orders();
  if (orders.length > 0) return { files: files.length, hidden, lines, malformed, orders };
  const found = malformed > 0 ? `all of its ${malformed} lines are malformed` : 'it has no lines';
  throw new MillraceError('INVALID_INPUT', `There is no order in ${path}: ${found}.`);
}

class Reading {
  readonly book = new OrderBook();
  lines = 0;
  malformed = 0;
  readonly #options: OrderReading;

  constructor(options: OrderReading) {
    this.#options = options;
  }

  async read(file: string): Promise<void> {
    const assembler = new RecordAssembler();
    let header: Header | null = null;
    for await (const record of records(physicalLines(file, this.#options), assembler)) {
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
    this.#options.onMalformed({ file, line: record.line, problem });
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

async function* records(lines: AsyncIterable<PhysicalLine>, assembler: RecordAssembler): AsyncGenerator<CsvRecord> {
  for await (const line of lines) yield* assembler.push(line);
  yield* assembler.end();
}
