import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { CliError } from '../failure/cli-error.js';
import { type Holder, ProcessLock } from '../surroundings/process-lock.js';

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

/** A change takes milliseconds. */
const MOST_WAIT_MS = 5_000;
const LOOK_MS = 10;

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
 * Changes the list, for the user alone to read: it holds tokens and passwords. Processes change it one after the other; who reads
 * meanwhile finds the old list or the new one.
 *
 * @param change gives the new list; when it throws, the old one stays
 * @returns the new list
 * @throws CliError USAGE when it cannot be written, REFUSED when another process does not let go of it
 */
export async function changeContexts(env: NodeJS.ProcessEnv, change: (contexts: Contexts) => Contexts): Promise<Contexts> {
  const path = contextsPath(env);
  const lock = await lockOf(path);
  try {
    const changed = change(readContexts(env));
    writing(path, () => replace(path, `${JSON.stringify(changed, null, 2)}\n`));
    return changed;
  } finally {
    lock.release();
  }
}

async function lockOf(path: string): Promise<ProcessLock> {
  const until = performance.now() + MOST_WAIT_MS;
  writing(path, () => mkdirSync(dirname(path), { recursive: true, mode: 0o700 }));
  for (;;) {
    const taken = writing(path, () => ProcessLock.take(`${path}.lock`));
    if (taken instanceof ProcessLock) return taken;
    if (performance.now() > until) throw busy(path, taken);
    await pause(LOOK_MS);
  }
}

function replace(path: string, text: string): void {
  const own = `${path}.${randomUUID()}`;
  try {
    writeFileSync(own, text, { mode: 0o600, flag: 'wx' });
    renameSync(own, path);
  } finally {
    rmSync(own, { force: true });
  }
}

function writing<T>(path: string, write: () => T): T {
  try {
    return write();
  } catch (error) {
    throw new CliError('USAGE', `${path} cannot be written (${(error as NodeJS.ErrnoException).code ?? 'unknown'}). Mend the permissions of its folder.`);
  }
}

function busy(path: string, { pid }: Holder): CliError {
  const who = pid === null ? 'Another process' : `Process ${pid}`;
  return new CliError('REFUSED', `${who} has ${path}.lock, so ${path} was not changed. Wait for it, or end it, and run this again.`);
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
