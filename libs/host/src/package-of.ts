import { readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { asError, MillraceError } from '@millrace/core';
import { VERSION } from './version.js';

/**
 * The file that `specifier` stands for in an application, as Node finds it from the application's own folder; null where the
 * application has no such package.
 *
 * A host takes Millrace, and so Nest, from there: two copies in one process know nothing of each other's classes.
 *
 * @throws MillraceError INVALID_OPTIONS when the package is of a version that this host does not fit, or is damaged
 */
export function packageOf(file: string, specifier: string): string | null {
  const found = resolved(realpathSync(file), specifier);
  if (found !== null) assertFits(found, specifier);
  return found;
}

function resolved(file: string, specifier: string): string | null {
  try {
    return createRequire(file).resolve(specifier);
  } catch (error) {
    // Both say that it is not there: in the repository a package has sources, and no file of JavaScript.
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'MODULE_NOT_FOUND' || code === 'ERR_PACKAGE_PATH_NOT_EXPORTED') return null;
    throw damaged(`${specifier} of the application cannot be found`, error);
  }
}

function assertFits(found: string, specifier: string): void {
  const name = specifier.split('/').slice(0, 2).join('/');
  const version = versionOf(dirname(found), name);
  if (version === null || series(version) === series(VERSION)) return;
  throw new MillraceError(
    'INVALID_OPTIONS',
    `The application has ${name} ${version} at ${found}, and this host is ${VERSION} at ${import.meta.dirname}: they do not fit. ` +
      'Install the same version of the host beside the application, and start it from there.',
  );
}

function versionOf(folder: string, name: string): string | null {
  const found = manifestOf(join(folder, 'package.json'));
  if (found?.name === name) return found.version ?? null;
  const above = dirname(folder);
  return above === folder ? null : versionOf(above, name);
}

function manifestOf(path: string): { name?: string; version?: string } | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as { name?: string; version?: string };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw damaged(`${path} cannot be read`, error);
  }
}

function damaged(problem: string, cause: unknown): MillraceError {
  const why = asError(cause).message.replace(/\.$/, '');
  return new MillraceError('INVALID_OPTIONS', `${problem}: ${why}. Install the packages of the application again.`, { cause });
}

/** Releases with the same one work together: `0.1` of 0.1.7, `2` of 2.3.4. */
function series(version: string): string {
  const [major = '', minor = ''] = version.split('.');
  return major === '0' ? `0.${minor}` : major;
}
