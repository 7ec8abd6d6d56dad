import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { asError, MillraceError } from '@millrace/core';

/**
 * The files of orders that a path names: itself, or the `.csv` files of a folder by name.
 *
 * @throws MillraceError INVALID_INPUT when there are none
 */
export async function orderFiles(path: string): Promise<string[]> {
  try {
    if (!(await stat(path)).isDirectory()) return [path];
    const entries = await readdir(path, { withFileTypes: true });
    const names = entries.filter((entry) => !entry.isDirectory() && /\.csv$/i.test(entry.name)).map((entry) => entry.name);
    if (names.length > 0) return names.sort().map((name) => join(path, name));
  } catch (thrown) {
    throw unreadable(path, thrown);
  }
  throw new MillraceError('INVALID_INPUT', `There is no .csv file in the folder ${path}: name a file or a folder of orders.`);
}

/** The error of a file or folder that cannot be read. */
export function unreadable(path: string, thrown: unknown): MillraceError {
  const cause = asError(thrown);
  const message = `The orders cannot be read: ${cause.message}. Name a file or a folder of orders that exists, or make orders with --generate.`;
  return new MillraceError('INVALID_INPUT', message, { cause });
}
