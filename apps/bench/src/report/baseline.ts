import { readFileSync } from 'node:fs';
import type { Row } from './row.js';

/** The figures of an earlier run: name of a row -> its value. */
export type Baseline = ReadonlyMap<string, number>;

/** @throws Error when the file cannot be read, or was not written by `--json` */
export function readBaseline(path: string): Baseline {
  const rows = rowsIn(readFileSync(path, 'utf8'));
  if (!rows) throw new Error(`'${path}' holds no rows: give --baseline a file that --json has written.`);
  return new Map(rows.map(({ name, value }) => [name, value]));
}

function rowsIn(text: string): readonly Row[] | null {
  try {
    const { rows } = JSON.parse(text) as { rows?: unknown };
    return Array.isArray(rows) ? (rows as Row[]) : null;
  } catch {
    // The text is no JSON: the caller throws the error for it.
    return null;
  }
}
