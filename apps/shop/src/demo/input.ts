import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MillraceError } from '@millrace/core';
import { generateOrders } from '../orders/generate-orders.js';
import { isCancellation, type Order } from '../orders/order.js';
import { type MalformedLine, readOrders } from '../orders/read-orders.js';
import { writeOrders } from '../orders/write-orders.js';
import type { DemoOptions } from './options.js';
import type { Terminal } from './terminal.js';

/** What is replayed. */
export interface Input {
  readonly files: number;
  readonly lines: number;
  readonly malformed: number;
  readonly orders: readonly Order[];
  /** Of the orders: those that are not cancellations. */
  readonly placed: number;
}

/**
 * Reads the orders, real or generated, and says which.
 *
 * @throws MillraceError INVALID_INPUT; INVALID_OPTIONS when there are fewer orders than poison ones are asked for
 */
export async function readInput(options: DemoOptions, terminal: Terminal): Promise<Input> {
  const input = options.orders === undefined ? await generated(options, terminal) : await real(options.orders, terminal);
  const placed = input.orders.filter((order) => !isCancellation(order)).length;
  terminal.say(
    `${placed} orders and ${input.orders.length - placed} cancellations in ${input.lines} lines of ${input.files} files, ` +
      `${input.malformed} lines malformed; seed ${options.seed}`,
  );
  if (options.poison <= placed) return { ...input, placed };
  throw new MillraceError('INVALID_OPTIONS', `--poison ${options.poison} asks for more orders than there are: the input has ${placed}.`);
}

function real(path: string, terminal: Terminal): ReturnType<typeof readOrders> {
  terminal.say(`orders: the real ones in ${path}`);
  return readOrders(path, tellMalformed(terminal));
}

/** Generated orders go through files, so that they are read as real ones are. */
async function generated({ seed, generate }: DemoOptions, terminal: Terminal): ReturnType<typeof readOrders> {
  terminal.say(`orders: ${generate} generated ones (--orders names a file or folder of real ones)`);
  const folder = await mkdtemp(join(tmpdir(), 'shop-orders-'));
  try {
    await writeOrders(folder, generateOrders(seed, { count: generate }));
    return await readOrders(folder, tellMalformed(terminal));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function tellMalformed(terminal: Terminal): (malformed: MalformedLine) => void {
  return ({ file, line, problem }) => terminal.say(`${file}:${line}: left out: ${problem}`);
}
