import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { delimiter, dirname, isAbsolute, join } from 'node:path';

const NAMES = ['redis-server', 'valkey-server'] as const;
const PACKAGE = '@falkordblite/linux-x64';

/**
 * Servers that may be started here, the preferred first: those on the PATH, then that of an optional npm package, which is
 * looked for from `from` and from here. Whether they run is for the caller to try.
 *
 * @param from a folder. Default: the current one
 */
export async function serverBinaries(env: NodeJS.ProcessEnv = process.env, from = process.cwd()): Promise<string[]> {
  const found = await Promise.all([...NAMES.map((name) => findOnPath(name, env)), packagedServer(from)]);
  return found.filter((path) => path !== null);
}

/** The absolute path of a program, or null. Relative folders on the PATH are passed over: they mean another place everywhere. */
export async function findOnPath(name: string, env: NodeJS.ProcessEnv): Promise<string | null> {
  for (const folder of (env['PATH'] ?? '').split(delimiter)) {
    if (isAbsolute(folder) && (await isProgram(join(folder, name)))) return join(folder, name);
  }
  return null;
}

async function packagedServer(from: string): Promise<string | null> {
  const manifest = resolvable(`${PACKAGE}/package.json`, from);
  if (!manifest) return null;
  const binary = join(dirname(manifest), 'bin', 'redis-server');
  return (await isProgram(binary)) ? binary : null;
}

function resolvable(file: string, from: string): string | null {
  try {
    return createRequire(import.meta.url).resolve(file, { paths: [from, import.meta.dirname] });
  } catch {
    // Not installed: the package is optional.
    return null;
  }
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    // Not there, or not for us to run: then there is no program here.
    return false;
  }
}
