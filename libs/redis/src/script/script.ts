import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** A Lua script: a constant text, run by its digest. Data goes in through keys and arguments only. */
export interface RunnableScript {
  readonly name: string;
  readonly source: string;
  /** SHA-1 of the source, by which Redis knows it. */
  readonly sha: string;
}

/** A line that stands for functions of another file. */
const INCLUDE = /^--!include (\S+)$/gm;
/** The comment that a file begins with, up to the first line of another kind. */
const HEADER = /^(?:--.*\n)+\n*/;

/**
 * Reads the script `<file>` beside the module that names it. In place of a line `--!include <other>` it has the text of that
 * file, which is found beside the script, without its header; what is included includes nothing itself.
 *
 * @param file relative to `moduleUrl`: `./publish.lua`
 * @param moduleUrl `import.meta.url` of the typed caller
 */
export function loadScript(file: string, moduleUrl: string): RunnableScript {
  const url = new URL(file, moduleUrl);
  const source = readFileSync(url, 'utf8').replace(INCLUDE, (_, other: string) => textOf(new URL(other, url)));
  return scriptOf(file.replace(/^.*\//, ''), source);
}

/** The same script, which Redis does not begin while it is full. */
export function refusedWhenFull({ name, source }: RunnableScript): RunnableScript {
  return scriptOf(name, source.replace(/^#!lua flags=allow-oom$/m, '#!lua'));
}

function scriptOf(name: string, source: string): RunnableScript {
  return { name, source, sha: createHash('sha1').update(source).digest('hex') };
}

function textOf(included: URL): string {
  return readFileSync(included, 'utf8').replace(HEADER, '').trimEnd();
}
