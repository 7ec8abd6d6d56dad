import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { asError, MillraceError } from '@millrace/core';
import { withDeadline } from './deadline.js';

/**
 * The guard is a shell that holds a pipe to this process and waits for its end. The pipe ends whenever this process does, a
 * kill -9 included; then the guard kills the server and cleans up. It is begun before the server, and the server takes the
 * place of the shell that began it, so there is no moment without a guard and `$$` is the server. While the guard lives,
 * the server's process id cannot be given to another process: the guard belongs to the process group of that number.
 */
const guardScript = (farewell: string): string => `
( read -r _ <&3; kill -9 $$; ${farewell} ) >/dev/null 2>&1 &
exec "$@" 3<&-`;

const REMOVE_FOLDER = 'rm -rf -- "$0"';
const END_TIMEOUT_MS = 5_000;
const LOG_BYTES = 2_000;

export interface GuardedCommand {
  readonly command: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Holds `server.log`; removed when this process is gone. */
  readonly folder: string;
  /** Shell commands to run as well when this process is gone; `$0` is the folder. */
  readonly farewell?: string;
}

/**
 * A child process that does not outlive this one, however this one ends. It has a session of its own, so Ctrl-C in a
 * terminal reaches this process alone, which then decides what ends when. It does not keep this process alive.
 */
export class GuardedProcess {
  /** Resolves when the process has ended, with how: `ended with code 1`. */
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;
  readonly #folder: string;
  #released = false;

  constructor(options: GuardedCommand) {
    this.#folder = options.folder;
    this.#child = begin(options);
    this.ended = endOf(this.#child);
    this.#child.unref();
    // The guard's end of the pipe must stay open for as long as this process lives, but not keep it alive.
    const pipe = this.#child.stdio[3];
    if (pipe instanceof Socket) pipe.unref();
  }

  /** @throws MillraceError REDIS_FAILED when the process could not even be begun */
  get pid(): number {
    if (this.#child.pid === undefined) throw new MillraceError('REDIS_FAILED', 'The server was not started: it has no process id.');
    return this.#child.pid;
  }

  get isRunning(): boolean {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Ends the process at once (SIGKILL); its guard stays, to remove the folder. May be called again. */
  async kill(): Promise<void> {
    this.#child.ref();
    if (this.isRunning) this.#child.kill('SIGKILL');
    await withDeadline(this.ended, END_TIMEOUT_MS, () => this.#immortal());
  }

  /** Ends the process and its guard at once; the folder stays. May be called again. */
  async end(): Promise<void> {
    if (this.#child.pid !== undefined && !this.#released) killGroup(this.#child.pid);
    this.#released = true;
    await this.kill();
  }

  /** The last lines that the process wrote. */
  async log(): Promise<string> {
    const text = await readFile(logFile(this.#folder), 'utf8');
    return text.slice(-LOG_BYTES).trim();
  }

  #immortal(): MillraceError {
    const message = `The server with process id ${this.#child.pid} is still there ${END_TIMEOUT_MS / 1000} s after SIGKILL.`;
    return new MillraceError('REDIS_FAILED', message);
  }
}

function begin({ command, env, folder, farewell }: GuardedCommand): ChildProcess {
  const script = guardScript(farewell ? `${farewell}; ${REMOVE_FOLDER}` : REMOVE_FOLDER);
  const log = openSync(logFile(folder), 'a', 0o600);
  try {
    return spawn('/bin/sh', ['-c', script, folder, ...command], {
      detached: true,
      stdio: ['ignore', log, log, 'pipe'],
      env: { ...env, PATH: [env['PATH'], '/usr/bin', '/bin'].filter(Boolean).join(':') },
    });
  } finally {
    closeSync(log);
  }
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(`could not be begun: ${error.message}`));
    child.once('exit', (code, signal) => resolve(signal ? `was ended by ${signal}` : `ended with code ${code}`));
  });
}

function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch (thrown) {
    const error: NodeJS.ErrnoException = asError(thrown);
    if (error.code !== 'ESRCH') throw error;
  }
}

function logFile(folder: string): string {
  return join(folder, 'server.log');
}
