import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { MillraceError } from '@millrace/core';

/**
 * The absolute path of the JavaScript file that exports the application module: `named` by `--app`, else by `MILLRACE_APP`. A
 * relative path begins at the working directory.
 *
 * @throws MillraceError INVALID_OPTIONS for none, or for one that is no file
 */
export function applicationFile(named: string | undefined, env: NodeJS.ProcessEnv): string {
  const source = named === undefined ? 'MILLRACE_APP' : '--app';
  const path = (named ?? env['MILLRACE_APP'])?.trim();
  if (!path) {
    throw invalid('No application is named. Give --app dist/app.module.js, or set MILLRACE_APP, to the file that exports your application module.');
  }
  const file = resolve(path);
  if (statSync(file, { throwIfNoEntry: false })?.isFile()) return file;
  throw invalid(`${source} names ${file}, which is no file. Build the application first, or correct the path.`);
}

function invalid(message: string): MillraceError {
  return new MillraceError('INVALID_OPTIONS', message);
}
