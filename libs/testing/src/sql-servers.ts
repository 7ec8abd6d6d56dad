import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync } from 'node:fs';
import { chmod, chown, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '@millrace/redis';
import { waitFor } from './wait-for.js';

const run = promisify(execFile);

/** SQL servers refuse to run as root: for them a test that does becomes `nobody`. */
const NOBODY = 65_534;
const AS_NOBODY = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];

/** The server does not outlive this process, however this one ends: the shell beside it waits for the end of a pipe. */
const GUARDED = '( read -r _ <&3; kill -9 $$; rm -rf -- "$0" ) >/dev/null 2>&1 & exec "$@" 3<&-';

interface Kind {
  readonly name: string;
  readonly folders: readonly string[];
  readonly server: string;
  readonly setUp: (binary: (name: string) => string, folder: string) => readonly string[];
  readonly begin: (folder: string, port: number) => readonly string[];
  readonly ready: RegExp;
  readonly url: (port: number) => string;
}

const POSTGRES: Kind = {
  name: 'postgres',
  folders: ['/usr/lib/postgresql/*/bin', '/usr/pgsql-*/bin', '/opt/homebrew/bin', '/usr/local/bin', '/usr/bin'],
  server: 'postgres',
  setUp: (binary, folder) => [binary('initdb'), '-D', `${folder}/data`, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-sync', '--no-locale'],
  begin: (folder, port) => ['-D', `${folder}/data`, '-p', String(port), '-k', folder, '-h', '127.0.0.1', '-c', 'max_connections=80'],
  ready: /database system is ready to accept connections/,
  url: (port) => `postgres://postgres@127.0.0.1:${port}/postgres`,
};

const MARIADB: Kind = {
  name: 'mariadb',
  folders: ['/usr/sbin', '/usr/bin', '/opt/homebrew/bin', '/usr/local/bin', '/usr/local/sbin'],
  server: 'mariadbd',
  setUp: (binary, folder) => [
    binary('mariadb-install-db'), '--no-defaults', `--datadir=${folder}/data`, '--auth-root-authentication-method=normal', '--skip-test-db',
  ],
  begin: (folder, port) => [
    '--no-defaults', `--datadir=${folder}/data`, `--port=${port}`, '--bind-address=127.0.0.1', `--socket=${folder}/socket`,
    `--init-file=${folder}/init.sql`, '--innodb-buffer-pool-size=64M', '--skip-log-bin', '--skip-name-resolve',
  ],
  ready: /ready for connections/,
  url: (port) => `mysql://millrace:millrace@127.0.0.1:${port}/millrace`,
};

/** A statement a line. */
const MARIADB_INIT = [
  'CREATE DATABASE IF NOT EXISTS millrace;', `CREATE USER IF NOT EXISTS millrace@'%' IDENTIFIED BY 'millrace';`,
  `GRANT ALL ON *.* TO millrace@'%';`, '',
].join('\n');

/** A SQL server for tests, on a free port of 127.0.0.1, empty, gone with the test process however that ends. */
export class TestSqlServer {
  readonly url: string;
  readonly folder: string;
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;

  constructor(child: ChildProcess, place: { readonly url: string; readonly folder: string }) {
    this.url = place.url;
    this.folder = place.folder;
    this.#child = child;
    this.#ended = new Promise((resolve) => child.once('exit', resolve));
  }

  /** The id of its first process. */
  get pid(): number {
    return this.#child.pid!;
  }

  /** Ends the server and removes its folder. */
  async stop(): Promise<void> {
    process.kill(-this.pid, 'SIGKILL');
    await this.#ended;
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Whether there is a PostgreSQL to start here. */
export function hasPostgres(): boolean {
  return binaryFolder(POSTGRES) !== null;
}

/** Whether there is a MariaDB to start here. */
export function hasMariadb(): boolean {
  return binaryFolder(MARIADB) !== null;
}

/** @param settings such as `fsync=off` */
export function startTestPostgres(...settings: string[]): Promise<TestSqlServer> {
  return start(POSTGRES, settings.flatMap((setting) => ['-c', setting]));
}

/** @param settings such as `--max-connections=50` */
export function startTestMariadb(...settings: string[]): Promise<TestSqlServer> {
  return start(MARIADB, settings);
}

async function start(kind: Kind, settings: readonly string[]): Promise<TestSqlServer> {
  const binaries = binaryFolder(kind);
  if (binaries === null) throw new Error(`There is no ${kind.server} here to start.`);
  const folder = await ownFolder(kind);
  const asUser = process.getuid?.() === 0 ? AS_NOBODY : [];
  const find = (name: string): string => [binaries, '/usr/bin'].map((place) => join(place, name)).find((file) => existsSync(file)) ?? name;
  const [command, ...args] = [...asUser, ...kind.setUp(find, folder)];
  await run(command!, args, { cwd: folder, env: { ...process.env, TMPDIR: folder } });
  const port = await freePort();
  const child = begin([...asUser, find(kind.server), ...kind.begin(folder, port), ...settings], folder);
  const server = new TestSqlServer(child, { url: kind.url(port), folder });
  await waitFor(async () => kind.ready.test(await readFile(`${folder}/server.log`, 'utf8')), { what: `${kind.name} to be ready`, timeoutMs: 30_000 });
  return server;
}

async function ownFolder(kind: Kind): Promise<string> {
  // The temporary folder of root may be one that nobody else can enter.
  const parent = process.getuid?.() === 0 ? '/tmp' : tmpdir();
  const folder = await mkdtemp(join(parent, `millrace-${kind.name}-`));
  await writeFile(`${folder}/init.sql`, MARIADB_INIT);
  await chmod(`${folder}/init.sql`, 0o644);
  if (process.getuid?.() === 0) await chown(folder, NOBODY, NOBODY);
  return folder;
}

function begin(command: readonly string[], folder: string): ChildProcess {
  const log = openSync(`${folder}/server.log`, 'a', 0o600);
  const env = { ...process.env, TMPDIR: folder };
  const child = spawn('/bin/sh', ['-c', GUARDED, folder, ...command], { detached: true, cwd: folder, env, stdio: ['ignore', log, log, 'pipe'] });
  closeSync(log);
  child.unref();
  (child.stdio[3] as unknown as { unref(): void }).unref();
  return child;
}

function binaryFolder({ folders, server }: Kind): string | null {
  return folders.flatMap(expanded).find((folder) => existsSync(join(folder, server))) ?? null;
}

/** The newest first, where a folder has a `*` for its version. */
function expanded(pattern: string): string[] {
  const [before, after] = pattern.split('*');
  if (after === undefined) return [pattern];
  const parent = before!.slice(0, before!.lastIndexOf('/'));
  const start = before!.slice(parent.length + 1);
  if (!existsSync(parent)) return [];
  const versions = readdirSync(parent).filter((name) => name.startsWith(start));
  return versions.sort((one, other) => parseFloat(other.slice(start.length)) - parseFloat(one.slice(start.length))).map((name) => `${parent}/${name}${after}`);
}
