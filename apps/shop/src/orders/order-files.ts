import type { Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { asError, MillraceError } from '@millrace/core';
import { few } from './few.js';

/** The files of a folder, as far as they are to be read. */
export interface OrderFiles {
  readonly files: readonly string[];
  /** Names of `.csv` files of the folder that are hidden, and so not read. */
  readonly hidden: readonly string[];
}

const CSV = /\.csv$/i;
/** Those of a user who hid them, of macOS (`._x.csv`) and of office programs (`~$x.csv`). */
const HIDDEN = /^(\.|~\$)/;

/**
 * The files of orders that a path names: itself, or the `.csv` files of a folder by name.
 *
 * @throws MillraceError INVALID_INPUT when there are none, or when one of them is no file, such as a FIFO
 */
export async function orderFiles(path: string): Promise<OrderFiles> {
  const found = await look(path);
  if (!found.isDirectory()) return { files: filesOf([[path, found]]), hidden: [] };
  const names = (await list(path)).sort();
  const [hidden, seen] = [names.filter(isHidden), names.filter((name) => CSV.test(name) && !isHidden(name))];
  const looked = await Promise.all(seen.map(async (name) => [join(path, name), await look(join(path, name))] as const));
  const files = filesOf(looked.filter(([, stats]) => !stats.isDirectory()));
  if (files.length > 0) return { files, hidden };
  throw noFiles(path, names, hidden);
}

/** The error of a file or folder that cannot be read. */
export function unreadable(thrown: unknown): MillraceError {
  const cause = asError(thrown);
  const message = `The orders cannot be read: ${cause.message}. Name a file or a folder of orders that exists, or make orders with --generate.`;
  return new MillraceError('INVALID_INPUT', message, { cause });
}

function isHidden(name: string): boolean {
  return CSV.test(name) && HIDDEN.test(name);
}

async function look(path: string): Promise<Stats> {
  try {
    return await stat(path);
  } catch (thrown) {
    throw unreadable(thrown);
  }
}

async function list(path: string): Promise<string[]> {
  try {
    return await readdir(path);
  } catch (thrown) {
    throw unreadable(thrown);
  }
}

/** They are looked at before any is opened: opening a FIFO waits for a writer, and nothing ends that but SIGKILL. */
function filesOf(found: readonly (readonly [string, Stats])[]): string[] {
  const problems = found.flatMap(([path, stats]) => (stats.isFile() ? [] : [`${path} is ${kindOf(stats)}`]));
  if (problems.length === 0) return found.map(([path]) => path);
  const message = 'Only files can hold orders: to read anything else could wait for ever. Nothing was published; take it away, or write what it gives to a file.';
  throw new MillraceError('INVALID_INPUT', message, { problems });
}

function kindOf(stats: Stats): string {
  if (stats.isFIFO()) return 'a FIFO (named pipe)';
  return stats.isSocket() ? 'a socket' : 'a device';
}

function noFiles(path: string, names: readonly string[], hidden: readonly string[]): MillraceError {
  const others = names.filter((name) => !hidden.includes(name));
  const found = [
    ...(hidden.length > 0 ? [`hidden ones, which are not read: ${few(hidden)}`] : []),
    ...(others.length > 0 ? [`other things: ${few(others)}`] : []),
  ];
  const message = `There is no .csv file in the folder ${path}: name a file or a folder of orders.`;
  return new MillraceError('INVALID_INPUT', message, { problems: found.map((what) => `it holds ${what}`) });
}
