import { existsSync, readdirSync, readFileSync } from 'node:fs';
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

/** The files of that name in the folders of a folder: `libs/core/package.json`. */
export function filesOf(folder: string, name: string): string[] {
  return readdirSync(pathOf(folder)).map((inner) => `${folder}/${inner}/${name}`).filter(has);
}
