import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, chmodSync, chownSync, constants, mkdtempSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { waitFor } from '@millrace/testing';

/** A server of a test, in a folder of its own. */
export interface OwnServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** The full path of a program, on the PATH or in other folders; null when it is not installed. */
export function programAt(name: string, folders: readonly string[] = []): string | null {
  const places = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', ...folders].map((folder) => join(folder, name));
  return places.find(isExecutable) ?? null;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The user that runs a server which refuses to run as root. */
export function plainUser(): { uid: number; gid: number } | null {
  if (process.getuid?.() !== 0) return null;
  const idOf = (flag: string): number => Number(spawnSync('id', [flag, 'nobody'], { encoding: 'utf8' }).stdout);
  return { uid: idOf('-u'), gid: idOf('-g') };
}

export interface Program {
  /** Makes the data in the folder. */
  readonly setUp: readonly string[];
  readonly run: readonly string[];
  readonly url: string;
  readonly user: ReturnType<typeof plainUser>;
  /** The signal that ends it at once, clients or not. */
  readonly endedBy: 'QUIT' | 'KILL';
  readonly answers: (url: string) => Promise<unknown>;
}

export function newFolder(user: ReturnType<typeof plainUser>): string {
  const folder = mkdtempSync(join(tmpdir(), 'mr-sql-'));
  chmodSync(folder, 0o755);
  if (user) chownSync(folder, user.uid, user.gid);
  return folder;
}

/** Starts the server, which ends with the process of the test at the latest: its shell waits for the end of its input. */
export async function startServer(folder: string, { setUp, run, url, user, endedBy, answers }: Program): Promise<OwnServer> {
  const as = user ?? {};
  const made = spawnSync(setUp[0]!, setUp.slice(1), { ...as, cwd: folder, encoding: 'utf8', env: { ...process.env, HOME: folder } });
  if (made.status !== 0) throw new Error(`${setUp[0]} failed: ${made.stderr || made.stdout || String(made.error)}`);
  const script = `"$@" & server=$!; read -r _; kill -${endedBy} $server 2>/dev/null; wait $server`;
  const shell = spawn('sh', ['-c', script, 'sh', ...run], { ...as, cwd: folder, stdio: ['pipe', 'ignore', 'pipe'] });
  let said = '';
  shell.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const stop = async (): Promise<void> => {
    const closed = once(shell, 'close');
    shell.stdin.end();
    await closed;
    await rm(folder, { recursive: true, force: true });
  };
  const isUp = async (): Promise<boolean> => {
    if (shell.exitCode !== null) throw new Error(`${run[0]} ended: ${said}`);
    await answers(url);
    return true;
  };
  try {
    await waitFor(isUp, { what: `${run[0]} to answer`, timeoutMs: 60_000 });
  } catch (error) {
    await stop();
    throw new Error(`${run[0]} does not start: ${said}`, { cause: error });
  }
  return { url, stop };
}

/** Folders of a pattern such as `/usr/lib/postgresql/15/bin`. */
export function foldersOf(parent: string, child: string): string[] {
  try {
    return readdirSync(parent).map((name) => join(parent, name, child));
  } catch {
    return [];
  }
}
