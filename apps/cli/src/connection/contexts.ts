import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { CliError } from '../failure/cli-error.js';

/** A server by its `url`, or a Redis. */
export interface Context {
  readonly url?: string;
  readonly token?: string;
  readonly redis?: string;
  readonly prefix?: string;
}

export interface Contexts {
  /** The one that is used where nothing else is said; null for none. */
  readonly current: string | null;
  readonly contexts: Readonly<Record<string, Context>>;
}

const NONE: Contexts = { current: null, contexts: {} };

/** `~/.config/millrace/contexts.json`, or in the folder that XDG_CONFIG_HOME names. */
export function contextsPath(env: NodeJS.ProcessEnv): string {
  return join(env['XDG_CONFIG_HOME'] || join(env['HOME'] || homedir(), '.config'), 'millrace', 'contexts.json');
}

/** @throws CliError USAGE when the file cannot be read */
export function readContexts(env: NodeJS.ProcessEnv): Contexts {
  const path = contextsPath(env);
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return NONE;
    throw new CliError('USAGE', `${path} cannot be read (${code ?? 'unknown'}). Mend its permissions, or remove it.`);
  }
  const contexts = contextsIn(text);
  if (contexts) return contexts;
  throw new CliError('USAGE', `${path} is no list of contexts. Remove it, and add the contexts again.`);
}

/**
 * Writes the list, for the user alone to read: it holds tokens and passwords. Who reads meanwhile finds the old list or the
 * new one.
 *
 * @throws CliError USAGE when it cannot be written; the old list stays
 */
export async function writeContexts(env: NodeJS.ProcessEnv, contexts: Contexts): Promise<void> {
  const path = contextsPath(env);
  const own = `${path}.${randomUUID()}`;
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await writeFile(own, `${JSON.stringify(contexts, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
    await rename(own, path);
  } catch (error) {
    await rm(own, { force: true }).catch(() => undefined);
    throw new CliError('USAGE', `${path} cannot be written (${(error as NodeJS.ErrnoException).code ?? 'unknown'}). Mend the permissions of its folder.`);
  }
}

function contextsIn(text: string): Contexts | null {
  try {
    const { current = null, contexts } = JSON.parse(text) as Partial<Contexts>;
    const isList = contexts !== null && typeof contexts === 'object' && !Array.isArray(contexts) && Object.values(contexts).every(isContext);
    return isList && (current === null || typeof current === 'string') ? { current, contexts } : null;
  } catch {
    return null;
  }
}

function isContext(value: unknown): value is Context {
  if (value === null || typeof value !== 'object') return false;
  return ('url' in value || 'redis' in value) && Object.values(value).every((part) => typeof part === 'string');
}
