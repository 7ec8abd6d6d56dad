import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { DynamicModule, Type } from '@nestjs/common';
import { MillraceError, orInACircle } from '@millrace/core';
import { assertOneNest } from './one-nest.js';

type RootModule = Type | DynamicModule;

/**
 * Loads the application module that `MILLRACE_APP` names: a JavaScript file whose default export, or export `AppModule`,
 * is the module. A relative path begins at the working directory.
 *
 * @throws MillraceError INVALID_OPTIONS
 */
export async function loadApplication(env: NodeJS.ProcessEnv): Promise<RootModule> {
  const path = env['MILLRACE_APP']?.trim();
  if (!path) {
    throw invalid('MILLRACE_APP is not set. Set it to the path of the JavaScript file that exports your application module.');
  }
  const file = resolve(path);
  if (!(await isFile(file))) throw invalid(`MILLRACE_APP names ${file}, which is no file. Build the application first, or correct the path.`);
  await assertOneNest(file);
  const exported = await load(file);
  const module = [exported['default'], exported['AppModule']].find(isModule);
  if (module) return module;
  throw invalid(`${file} exports no module: export your root module as default or as AppModule, and name its file, not the one that starts the application.`);
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then((found) => found.isFile(), () => false);
}

async function load(file: string): Promise<Record<string, unknown>> {
  try {
    return (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  } catch (cause) {
    const why = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
    throw new MillraceError('INVALID_OPTIONS', orInACircle(`${file} cannot be loaded: ${why}.`, missingOf(cause)), { cause });
  }
}

/** Undefined for a class that is used before its file has run. */
function missingOf(cause: unknown): unknown {
  return cause instanceof Error && /before initialization|Class extends value undefined/.test(cause.message) ? undefined : cause;
}

function isModule(value: unknown): value is RootModule {
  return typeof value === 'function' || (value !== null && typeof value === 'object' && 'module' in value);
}

function invalid(message: string): MillraceError {
  return new MillraceError('INVALID_OPTIONS', message);
}
