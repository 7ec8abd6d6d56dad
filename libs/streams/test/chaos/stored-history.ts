import { readFileSync, writeFileSync } from 'node:fs';
import type { History } from './verdict.js';

type Stored = Omit<History, 'attempted' | 'confirmed'> & { readonly attempted: readonly number[]; readonly confirmed: readonly number[] };

/** Writes a history as JSON, to be judged again. */
export function writeHistory(file: string, history: History): void {
  const stored: Stored = { ...history, attempted: [...history.attempted], confirmed: [...history.confirmed] };
  writeFileSync(file, `${JSON.stringify(stored)}\n`);
}

export function readHistory(file: string): History {
  const stored = JSON.parse(readFileSync(file, 'utf8')) as Stored;
  return { ...stored, attempted: new Set(stored.attempted), confirmed: new Set(stored.confirmed) };
}
