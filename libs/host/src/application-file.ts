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
  if (isFile(file)) return file;
  throw invalid(`${source} names ${file}, which is no file. Build the application first, or correct the path.`);
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // The second one is of a path that goes on behind a file.
    if (code === 'ENOENT' || code === 'ENOTDIR') return false;
    throw new MillraceError('INVALID_OPTIONS', `${path} cannot be read: ${message}. Correct the path, or its permissions.`, { cause: error });
  }
}

function invalid(message: string): MillraceError {
  return new MillraceError('INVALID_OPTIONS', message);
}
