import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const ROOT = resolve(import.meta.dirname, '../..');

/** @param path from the root of the repository */
export function pathOf(path: string): string {
  return join(ROOT, path);
}

export function has(path: string): boolean {
  return existsSync(pathOf(path));
}

export function read(path: string): string {
  return readFileSync(pathOf(path), 'utf8');
}
