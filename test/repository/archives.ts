import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor } from '@millrace/testing';
import { has, pathOf, read } from './repository.js';

const ARCHIVES = 'dist/packages';
/** The state of the sources that the archives are made of. */
const STATE = `${ARCHIVES}/state`;
/** Holds the process that packs. */
const LOCK = 'dist/packages.lock';
const SOURCES = ['libs', 'apps/cli', 'apps/server', 'apps/worker', 'tools/packages', 'tsconfig.json', 'LICENSE'];
/** Packing takes a quarter of a minute of a processor, and much longer beside other work. */
const PACK_MS = 400_000;

/** For `beforeAll`, with the time to unpack. */
export const CONSUMER_MS = PACK_MS + 100_000;

/** Makes the archives of `npm run packages`, once for the sources as they are, though several specs ask at a time. */
export async function makeArchives(): Promise<void> {
  mkdirSync(pathOf('dist'), { recursive: true });
  await waitFor(isLocked, { what: `another process to finish packing (${LOCK})`, timeoutMs: PACK_MS });
  try {
    const state = stateOf(SOURCES);
    if (has(STATE) && read(STATE) === state) return;
    pack();
    writeFileSync(pathOf(STATE), state);
  } finally {
    rmSync(pathOf(LOCK));
  }
}

/** @param name of a package without its scope */
export function archiveOf(name: string): string {
  return pathOf(`${ARCHIVES}/millrace-${name}-0.1.0.tgz`);
}

function isLocked(): boolean {
  try {
    writeFileSync(pathOf(LOCK), `${process.pid}`, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    removeOfDead();
    return false;
  }
}

/** A run that was killed leaves its lock. */
function removeOfDead(): void {
  const pid = Number(readFileSync(pathOf(LOCK), 'utf8'));
  try {
    if (pid > 0) process.kill(pid, 0);
  } catch {
    rmSync(pathOf(LOCK), { force: true });
  }
}

function pack(): void {
  try {
    execFileSync(process.execPath, [pathOf('tools/packages/main.js')], { stdio: 'pipe', encoding: 'utf8', timeout: PACK_MS });
  } catch (error) {
    const { message, stdout, stderr } = error as Error & { stdout: string; stderr: string };
    throw new Error(`npm run packages failed: ${message}\n${stdout}${stderr}`, { cause: error });
  }
}

/** Changes with each file. */
function stateOf(sources: readonly string[]): string {
  return sources.flatMap(filesBelow).map((file) => `${file} ${statSync(pathOf(file)).mtimeMs}`).join('\n');
}

function filesBelow(path: string): string[] {
  if (!statSync(pathOf(path)).isDirectory()) return [path];
  const inner = readdirSync(pathOf(path)).filter((name) => !['node_modules', 'test', 'dist'].includes(name));
  return inner.sort().flatMap((name) => filesBelow(join(path, name)));
}
