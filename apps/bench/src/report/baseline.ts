import { readFileSync } from 'node:fs';
import type { Report } from './report.js';

/** The figures of an earlier run: name of a row -> its value. */
export type Baseline = ReadonlyMap<string, number>;

/** @throws Error when the file is not what `--json` writes */
export function readBaseline(path: string): Baseline {
  const { rows } = JSON.parse(readFileSync(path, 'utf8')) as Partial<Report>;
  if (!Array.isArray(rows)) throw new Error(`'${path}' holds no rows: give --baseline a file that --json has written.`);
  return new Map((rows as Report['rows']).map(({ name, value }) => [name, value]));
}
