import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** A Lua script: a constant text, run by its digest. Data goes in through keys and arguments only. */
export interface RunnableScript {
  readonly name: string;
  readonly source: string;
  /** SHA-1 of the source, by which Redis knows it. */
  readonly sha: string;
}

/**
 * Reads the script `<file>` beside the module that names it.
 *
 * @param file relative to `moduleUrl`: `./publish.lua`
 * @param moduleUrl `import.meta.url` of the typed caller
 */
export function loadScript(file: string, moduleUrl: string): RunnableScript {
  const source = readFileSync(new URL(file, moduleUrl), 'utf8');
  return { name: file.replace(/^.*\//, ''), source, sha: createHash('sha1').update(source).digest('hex') };
}
