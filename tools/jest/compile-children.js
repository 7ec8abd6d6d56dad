import {
  copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, utimesSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { transformFile } from '@swc/core';

const ROOT = resolve(import.meta.dirname, '../..');
const COMPILED = join(ROOT, 'dist/compiled');
const SWC = JSON.parse(readFileSync(join(ROOT, 'libs/testing/loader/swc.json'), 'utf8'));
const FOLDERS = ['apps', 'libs'];
const LEFT_OUT = /\.(spec|full|d)\.ts$|(^|\/)(node_modules|dist)(\/|$)/;
/** Other options, or another compiler, compile everything anew. */
const KIND = JSON.stringify([SWC, createRequire(import.meta.url)('@swc/core/package.json').version]);

/**
 * Compiles the sources for the processes that tests start: hundreds, of which each would spend a second on its loader. It keeps
 * the tree as it is, with all other files, so that modules find them, and compiles what has changed since.
 */
export default async function compileChildren() {
  if (textOf(join(COMPILED, 'kind')) !== KIND) rmSync(COMPILED, { recursive: true, force: true });
  const sources = FOLDERS.flatMap((folder) => filesIn(ROOT, folder));
  await Promise.all(sources.map(compile));
  const wanted = new Set(sources.map(compiledName));
  for (const file of FOLDERS.flatMap((folder) => filesIn(COMPILED, folder))) if (!wanted.has(file)) rmSync(join(COMPILED, file));
  linkLibraries();
  writeFileSync(join(COMPILED, 'kind'), KIND);
  process.env.COMPILED_SOURCES = COMPILED;
}

/** Names from the root. */
function filesIn(root, folder) {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const name = join(folder, entry.name);
    if (LEFT_OUT.test(name) || entry.isSymbolicLink()) return [];
    return entry.isDirectory() ? filesIn(root, name) : [name];
  });
}

function compiledName(source) {
  return source.replace(/\.ts$/, '.js');
}

/** The times of both files are the same as long as the source does not change. */
async function compile(source) {
  const [from, to] = [join(ROOT, source), join(COMPILED, compiledName(source))];
  const { mtime } = statSync(from);
  if (existsSync(to) && statSync(to).mtimeMs === Math.floor(mtime.getTime())) return;
  mkdirSync(dirname(to), { recursive: true });
  // Another run of Jest may do the same at this moment: the file appears as a whole.
  const own = `${to}.${process.pid}`;
  if (source.endsWith('.ts')) writeFileSync(own, (await transformFile(from, SWC)).code);
  else copyFileSync(from, own);
  utimesSync(own, mtime, mtime);
  renameSync(own, to);
}

/** `@millrace/core` and the others are those of this tree. */
function linkLibraries() {
  const scope = join(COMPILED, 'node_modules/@millrace');
  mkdirSync(scope, { recursive: true });
  for (const library of readdirSync(join(COMPILED, 'libs'))) {
    if (!existsSync(join(scope, library))) symlinkSync(`../../libs/${library}`, join(scope, library));
  }
}

function textOf(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}
