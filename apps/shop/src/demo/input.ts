import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MillraceError } from '@millrace/core';
import { few } from '../orders/few.js';
import { generateOrders } from '../orders/generate-orders.js';
import { isCancellation, type Order } from '../orders/order.js';
import type { FileReading } from '../orders/physical-lines.js';
import { type OrdersRead, readOrders } from '../orders/read-orders.js';
import { writeOrders } from '../orders/write-orders.js';
import { counted } from './counted.js';
import { LeftOutLines } from './left-out-lines.js';
import type { DemoOptions } from './options.js';
import type { Terminal } from './terminal.js';

/** The input of the replay. */
export interface Input {
  readonly files: number;
  readonly lines: number;
  readonly malformed: number;
  readonly orders: readonly Order[];
  /** The number of invoices that are not cancellations. */
  readonly placed: number;
}

/**
 * Reads the orders, real or generated, and says which.
 *
 * @throws MillraceError INVALID_INPUT; INVALID_OPTIONS when there are fewer orders than poison ones are asked for; an
 *   AbortError when the signal aborts
 */
export async function readInput(options: DemoOptions, terminal: Terminal, signal: AbortSignal): Promise<Input> {
  const reading = { encoding: options.encoding, terminal, signal };
  const input = options.orders === undefined ? await generated(options, reading) : await real(options.orders, reading);
  const placed = input.orders.filter((order) => !isCancellation(order)).length;
  terminal.say(
    `${counted(placed, 'order')} and ${counted(input.orders.length - placed, 'cancellation')} in ` +
      `${counted(input.lines, 'line')} of ${counted(input.files, 'file')}, ${counted(input.malformed, 'line')} malformed; seed ${options.seed}`,
  );
  if (options.poison <= placed) return { ...input, placed };
  throw new MillraceError('INVALID_OPTIONS', `--poison ${options.poison} asks for more orders than there are: the input has ${placed}.`);
}

interface InputReading extends FileReading {
  readonly terminal: Terminal;
}

async function real(path: string, reading: InputReading): Promise<OrdersRead> {
  reading.terminal.say(`orders: the real ones in ${path}`);
  const read = await readTelling(path, reading);
  if (read.hidden.length > 0) reading.terminal.say(`hidden files are not read: ${few(read.hidden)}`);
  return read;
}

/** Generated orders go through files, so that they are read as real ones are. */
async function generated({ seed, generate }: DemoOptions, reading: InputReading): Promise<OrdersRead> {
  reading.terminal.say(`orders: ${generate} generated ones (--orders names a file or folder of real ones)`);
  const folder = await mkdtemp(join(tmpdir(), 'shop-orders-'));
  try {
    await writeOrders(folder, generateOrders(seed, { count: generate }));
    return await readTelling(folder, reading);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function readTelling(path: string, { terminal, ...reading }: InputReading): Promise<OrdersRead> {
  const leftOut = new LeftOutLines(terminal);
  try {
    return await readOrders(path, { ...reading, onMalformed: (malformed) => leftOut.add(malformed) });
  } finally {
    leftOut.conclude();
  }
}
