import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import ts from 'typescript';

/** The imports between the files of a unit: by relative paths, since a unit reaches its own files that way. */
export class ImportGraph {
  /** file -> { mtimeMs, targets }; checked against the disk at each use, because editors keep ESLint running. */
  #known = new Map();

  /**
   * The shortest way along imports from one file to another, both included; null when there is none.
   *
   * @param {string} from absolute path
   * @param {string} to absolute path; its own imports are not looked at, so it may be unsaved
   */
  path(from, to) {
    const cameFrom = new Map([[from, null]]);
    const queue = [from];
    for (const file of queue) {
      if (file === to) return trail(cameFrom, file);
      for (const target of this.#targets(file)) {
        if (cameFrom.has(target)) continue;
        cameFrom.set(target, file);
        queue.push(target);
      }
    }
    return null;
  }

  #targets(file) {
    const stats = statSync(file, { throwIfNoEntry: false });
    if (!stats?.isFile()) return [];
    const known = this.#known.get(file);
    if (known?.mtimeMs === stats.mtimeMs) return known.targets;
    const targets = importsOf(file);
    this.#known.set(file, { mtimeMs: stats.mtimeMs, targets });
    return targets;
  }
}

/** The source file that a relative specifier means: `./x.js` is written for `./x.ts`. */
export function sourceOf(file, specifier) {
  return resolve(dirname(file), specifier).replace(/\.js$/, '.ts');
}

function importsOf(file) {
  const { importedFiles } = ts.preProcessFile(readFileSync(file, 'utf8'), true, true);
  return importedFiles.filter(({ fileName }) => fileName.startsWith('.')).map(({ fileName }) => sourceOf(file, fileName));
}

function trail(cameFrom, end) {
  const files = [];
  for (let file = end; file !== null; file = cameFrom.get(file)) files.unshift(file);
  return files;
}
