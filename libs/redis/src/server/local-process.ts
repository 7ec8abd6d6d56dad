import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MillraceError } from '@millrace/core';
import { assertSupported } from '../connection/server-facts.js';
import { freePort, holdPort } from './free-port.js';
import { GuardedProcess } from './guarded-process.js';
import type { LocalTls } from './local-tls.js';
import { untilReady } from './readiness.js';

/** Ports of 127.0.0.1 that were free a moment ago, all different, and a temporary folder. */
export interface LocalPlace {
  /** The first is the one for clients. */
  readonly ports: readonly [number, ...number[]];
  readonly folder: string;
  /** The folder of its data, where that is not the temporary one. */
  readonly data?: string | undefined;
}

interface LocalProcessOptions {
  readonly place: LocalPlace;
  /** The program and its arguments. */
  readonly command: readonly [string, ...string[]];
  readonly env?: NodeJS.ProcessEnv;
  readonly password?: string;
  /** Its first port speaks TLS. */
  readonly tls?: LocalTls;
}

const READY_TIMEOUT_MS = 10_000;
const PORT_TRIES = 5;

/** A server or a Sentinel of our own, which can be killed, frozen and started again; it keeps its ports and its folder. */
export abstract class LocalProcess {
  readonly port: number;
  /** Its data and its `server.log`. */
  readonly folder: string;
  readonly #options: LocalProcessOptions;
  #process: GuardedProcess;
  #isFrozen = false;
  /** Let go of the ports; they are held while the process is to come back. */
  #letGo: (() => Promise<void>)[] = [];

  protected constructor(options: LocalProcessOptions) {
    this.port = options.place.ports[0];
    this.folder = options.place.folder;
    this.#options = options;
    this.#process = this.#begin();
  }

  get pid(): number {
    return this.#process.pid;
  }

  /** Resolves when the process that runs now has ended, with how: `ended with code 1`. */
  get ended(): Promise<string> {
    return this.#process.ended;
  }

  get isRunning(): boolean {
    return this.#process.isRunning;
  }

  /** Whether it stands still. */
  get isFrozen(): boolean {
    return this.#isFrozen && this.isRunning;
  }

  /**
   * It stands still (SIGSTOP): its connections stay open, and nothing answers.
   *
   * @throws MillraceError CLOSED when it does not run
   */
  freeze(): void {
    this.#signal('SIGSTOP');
    this.#isFrozen = true;
  }

  /** It goes on (SIGCONT). @throws MillraceError CLOSED when it does not run */
  thaw(): void {
    this.#signal('SIGCONT');
    this.#isFrozen = false;
  }

  /** Ends it as a crash would (SIGKILL) and keeps its folder and its ports. */
  async kill(): Promise<void> {
    await this.#hold();
    await this.#process.kill();
  }

  /**
   * Ends it, if it runs, and starts it again on the same ports with what its folder holds.
   *
   * @throws MillraceError REDIS_FAILED when it does not start
   */
  async restart(): Promise<void> {
    await this.#hold();
    await this.#process.end();
    this.#isFrozen = false;
    this.#process = this.#begin();
    await this.whenReady();
    await this.#freed();
  }

  /** Ends it and removes its folder. May be called again. */
  async stop(): Promise<void> {
    await this.#process.end();
    await this.#freed();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** Resolves when it answers. @throws MillraceError REDIS_FAILED, REDIS_UNSUPPORTED */
  async whenReady(): Promise<void> {
    const { password, tls, command } = this.#options;
    const { version, folder } = await untilReady({ port: this.port, password, tls }, this.#process, READY_TIMEOUT_MS);
    if (folder !== (this.#options.place.data ?? this.folder)) {
      throw new MillraceError('REDIS_FAILED', `Address already in use: another server listens on port ${this.port}.`);
    }
    assertSupported(version, command[0]);
  }

  #signal(signal: NodeJS.Signals): void {
    if (!this.isRunning) throw new MillraceError('CLOSED', `The Redis on port ${this.port} does not run: ${signal} cannot reach it.`);
    process.kill(this.pid, signal);
  }

  async #hold(): Promise<void> {
    if (this.#letGo.length === 0) this.#letGo = await Promise.all(this.#options.place.ports.map(holdPort));
  }

  async #freed(): Promise<void> {
    await Promise.all(this.#letGo.splice(0).map((letGo) => letGo()));
  }

  #begin(): GuardedProcess {
    const { command, env = process.env } = this.#options;
    return new GuardedProcess({ command, env, folder: this.folder });
  }
}

interface PlaceNeeds {
  readonly prefix: string;
  /** How many ports. */
  readonly ports: number;
  /** The first of them. Default: a free one. */
  readonly port?: number | undefined;
  readonly data?: string | undefined;
}

/**
 * Starts a process in a place of its own, and in another one when somebody took a port of it meanwhile.
 *
 * @param make begins the process
 * @throws MillraceError as {@link LocalProcess.whenReady} does; nothing is left then
 */
export async function startInPlace<T extends LocalProcess>(
  needs: PlaceNeeds,
  make: (place: LocalPlace) => T | Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    const started = await make(await freePlace(needs));
    try {
      await started.whenReady();
      return started;
    } catch (error) {
      await started.stop();
      // Between finding the ports and listening on them, another process may have taken one.
      if (needs.port !== undefined || tries === PORT_TRIES || !(error instanceof Error && /Address already in use/.test(error.message))) throw error;
    }
  }
}

async function freePlace({ prefix, ports: count, port, data }: PlaceNeeds): Promise<LocalPlace> {
  const ports = new Set([port ?? (await freePort())]);
  while (ports.size < count) ports.add(await freePort());
  return { ports: [...ports] as [number, ...number[]], folder: await realpath(await mkdtemp(join(tmpdir(), prefix))), data };
}
