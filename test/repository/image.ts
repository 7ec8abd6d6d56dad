import { mkdirSync } from 'node:fs';
import { basename, join, posix } from 'node:path';
import { copyTree } from './consumer.js';
import type { Instruction } from './dockerfile.js';

/** The place on this machine of a path that a COPY takes `from` a stage, or null: from the context. */
export type Source = (path: string, from: string | null) => string;

/**
 * Does in the folder `root`, which stands for the root of an image, what the WORKDIR and COPY lines of a stage do.
 *
 * @throws Error for a RUN line: only a container could run it
 */
export function layOut(stage: readonly Instruction[], root: string, sourceOf: Source): void {
  let folder = '/';
  for (const { name, text } of stage) {
    if (name === 'RUN') throw new Error(`RUN ${text} cannot be done outside a container`);
    if (name === 'WORKDIR') mkdirSync(join(root, (folder = posix.resolve(folder, text))), { recursive: true });
    if (name === 'COPY') copy(text, (path) => join(root, posix.resolve(folder, path)) + (path.endsWith('/') ? '/' : ''), sourceOf);
  }
}

function copy(text: string, inImage: (path: string) => string, sourceOf: Source): void {
  const [, from = null, paths = ''] = /^(?:--from=(\S+)\s+)?(.*)$/.exec(text) ?? [];
  const sources = paths.split(/\s+/);
  const target = inImage(sources.pop()!);
  for (const path of sources) copyTree(sourceOf(path, from), target.endsWith('/') ? join(target, basename(path)) : target);
}
