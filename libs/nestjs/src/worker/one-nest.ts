import { realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MillraceError } from '@millrace/core';

const NEST = join('node_modules', '@nestjs', 'core');

/**
 * Two copies of Nest know nothing of each other's classes, and the error that Nest makes of that names neither of them.
 *
 * @throws MillraceError INVALID_OPTIONS when `file` would take Nest from another folder than this process does
 */
export async function assertOneNest(file: string): Promise<void> {
  const [ours, theirs] = await Promise.all([nestOf(import.meta.dirname), nestOf(dirname(await realpath(file)))]);
  if (ours === null || theirs === null || theirs === ours) return;
  throw new MillraceError(
    'INVALID_OPTIONS',
    `${file} takes Nest from ${theirs}, and this process takes it from ${ours}: two copies of Nest do not work together. ` +
      'Install the host (@millrace/worker or @millrace/server) beside the application, or run it from a file of its own with runWorker(AppModule).',
  );
}

/** Where Node finds Nest for the files of a folder: in the nearest node_modules that has it. Null for nowhere. */
async function nestOf(folder: string): Promise<string | null> {
  const found = await realpath(join(folder, NEST)).catch(() => null);
  const above = dirname(folder);
  return found ?? (above === folder ? null : nestOf(above));
}
