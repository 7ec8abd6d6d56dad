import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

/** As Jest compiles them, too. */
const SWC = JSON.parse(readFileSync(new URL('swc.json', import.meta.url), 'utf8'));

const LIBS = new URL('../../', import.meta.url);

export async function resolve(specifier, context, next) {
  const library = /^@millrace\/([a-z]+)$/.exec(specifier)?.[1];
  if (library) return next(new URL(`${library}/src/index.ts`, LIBS).href, context);
  const ours = specifier.startsWith('.') && context.parentURL?.endsWith('.ts');
  return next(ours ? specifier.replace(/\.js$/, '.ts') : specifier, context);
}

/** Tests start hundreds of processes: each source is transformed once, and kept by its text, its place and the options. */
const CACHE = new URL('../../../node_modules/.cache/millrace/', import.meta.url);
const KIND = JSON.stringify([SWC, createRequire(import.meta.url)('@swc/core/package.json').version]);

export async function load(url, context, next) {
  if (!url.endsWith('.ts')) return next(url, context);
  const filename = fileURLToPath(url);
  const source = readFileSync(filename, 'utf8');
  const kept = new URL(`${createHash('sha256').update(`${KIND}\n${filename}\n${source}`).digest('hex')}.js`, CACHE);
  return { format: 'module', source: keptText(kept) ?? (await transformed(source, filename, kept)), shortCircuit: true };
}

function keptText(kept) {
  try {
    return readFileSync(kept, 'utf8');
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    return null;
  }
}

/** Other processes may do the same at this moment: the file appears as a whole. */
async function transformed(source, filename, kept) {
  const { transform } = await import('@swc/core');
  const { code } = await transform(source, { ...SWC, filename });
  const own = new URL(`${process.pid}-${randomUUID()}.new`, CACHE);
  mkdirSync(CACHE, { recursive: true });
  writeFileSync(own, code);
  renameSync(own, kept);
  return code;
}
