import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MillraceError } from '@millrace/core';
import { assertSupported } from '../connection/server-facts.js';
import { freePort, holdPort } from './free-port.js';
import { GuardedProcess } from './guarded-process.js';
import { untilReady } from './readiness.js';

export interface LocalServerOptions {
  /** Absolute path of a `redis-server` or `valkey-server`. */
  readonly binary: string;
  /** How its append-only file is written to disk; `'no'`: there is none, its data ends with it. Default `'no'`. */
  readonly appendonly?: 'no' | 'everysec' | 'always';
  /** It is asked of clients, and shown to a primary that the server follows. Default: none. */
  readonly password?: string;
  /** As Redis writes it: `'64mb'`. Default: no limit. */
  readonly maxmemory?: string;
  /** More arguments for the server: `['--requirepass', 'x']`. */
  readonly extra?: readonly string[];
  /** Default `process.env`. */
  readonly env?: NodeJS.ProcessEnv;
}

const READY_TIMEOUT_MS = 10_000;
const PORT_TRIES = 5;

/**
 * A Redis server of our own: on 127.0.0.1 only, on a free port, in a temporary folder, never evicting, gone with this
 * process however that ends.
 */
export class LocalServer {
  readonly port: number;
  readonly url: string;
  /** Its data and its `server.log`. */
  readonly folder: string;
  readonly #options: LocalServerOptions;
  #process: GuardedProcess;
  #isFrozen = false;
  /** Lets go of the port; it is held while the server is to come back. */
  #letGo: (() => Promise<void>) | null = null;

  private constructor(options: LocalServerOptions, place: { port: number; folder: string }) {
    this.port = place.port;
    this.url = `redis://${options.password === undefined ? '' : `:${encodeURIComponent(options.password)}@`}127.0.0.1:${place.port}`;
    this.folder = place.folder;
    this.#options = options;
    this.#process = this.#begin();
  }

  /**
   * Resolves when the server answers.
   *
   * @throws MillraceError REDIS_FAILED, with the end of its log, when it does not start; REDIS_UNSUPPORTED when it is too old
   */
  static async start(options: LocalServerOptions): Promise<LocalServer> {
    for (let tries = 1; ; tries += 1) {
      const folder = await realpath(await mkdtemp(join(tmpdir(), 'millrace-redis-')));
      const server = new LocalServer(options, { port: await freePort(), folder });
      try {
        await server.#ready();
        return server;
      } catch (error) {
        await server.stop();
        // Between finding the port and listening on it, another process may have taken it.
        if (tries === PORT_TRIES || !(error instanceof Error && /Address already in use/.test(error.message))) throw error;
      }
    }
  }

  get pid(): number {
    return this.#process.pid;
  }

  get isRunning(): boolean {
    return this.#process.isRunning;
  }

  /** Whether it stands still. */
  get isFrozen(): boolean {
    return this.#isFrozen && this.isRunning;
  }

  /** The server stands still (SIGSTOP): its connections stay open, and nothing answers. */
  freeze(): void {
    this.#signal('SIGSTOP');
    this.#isFrozen = true;
  }

  /** The server goes on (SIGCONT). */
  thaw(): void {
    this.#signal('SIGCONT');
    this.#isFrozen = false;
  }

  /** Ends the server as a crash would (SIGKILL) and keeps its folder and its port. */
  async kill(): Promise<void> {
    this.#letGo ??= await holdPort(this.port);
    await this.#process.kill();
  }

  /**
   * Ends the server, if it runs, and starts it again on the same port with the data that its append-only file holds.
   *
   * @throws MillraceError REDIS_FAILED when it does not start
   */
  async restart(): Promise<void> {
    this.#letGo ??= await holdPort(this.port);
    await this.#process.end();
    this.#isFrozen = false;
    this.#process = this.#begin();
    await this.#ready();
    await this.#freed();
  }

  /** Ends the server and removes its folder. May be called again. */
  async stop(): Promise<void> {
    await this.#process.end();
    await this.#freed();
    await rm(this.folder, { recursive: true, force: true });
  }

  #signal(signal: NodeJS.Signals): void {
    if (!this.isRunning) throw new MillraceError('CLOSED', `The Redis on port ${this.port} does not run: ${signal} cannot reach it.`);
    process.kill(this.pid, signal);
  }

  async #freed(): Promise<void> {
    const letGo = this.#letGo;
    this.#letGo = null;
    await letGo?.();
  }

  #begin(): GuardedProcess {
    const command = [this.#options.binary, ...serverArguments(this.#options, this.port, this.folder)];
    return new GuardedProcess({ command, env: this.#options.env ?? process.env, folder: this.folder });
  }

  async #ready(): Promise<void> {
    const { password } = this.#options;
    const { version, folder } = await untilReady({ port: this.port, password }, this.#process, READY_TIMEOUT_MS);
    if (folder !== this.folder) {
      throw new MillraceError('REDIS_FAILED', `Address already in use: another server listens on port ${this.port}.`);
    }
    assertSupported(version, this.#options.binary);
  }
}

function serverArguments(options: LocalServerOptions, port: number, folder: string): string[] {
  const { appendonly = 'no', maxmemory = '0', extra = [], password } = options;
  const secret = password === undefined ? [] : ['--requirepass', password, '--masterauth', password];
  const fsync = appendonly === 'no' ? [] : ['--appendfsync', appendonly];
  return [
    '--port', String(port), '--bind', '127.0.0.1', '--dir', folder,
    '--save', '', '--appendonly', appendonly === 'no' ? 'no' : 'yes', ...fsync,
    '--maxmemory', maxmemory, '--maxmemory-policy', 'noeviction', ...secret, ...extra,
  ];
}
