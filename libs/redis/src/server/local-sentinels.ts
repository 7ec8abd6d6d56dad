import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MillraceError } from '@millrace/core';
import type { RedisAddress } from '../connection/redis-target.js';
import { freePort } from './free-port.js';
import { GuardedProcess } from './guarded-process.js';
import { LocalServer, type LocalServerOptions } from './local-server.js';
import { type LocalPort, onServer, untilTrue } from './node-command.js';

export interface LocalSentinelsOptions extends Pick<LocalServerOptions, 'binary' | 'appendonly' | 'extra' | 'env'> {
  /** Default 1. */
  readonly replicas?: number;
  /** Default 3, of which a majority decides. */
  readonly sentinels?: number;
  /** The name under which they watch the primary. Default `millrace`. */
  readonly primary?: string;
  /** After so long without an answer a Sentinel takes a server for failed. Default 1,000. */
  readonly downAfterMs?: number;
  /** The password of the servers that store data. Default: none. */
  readonly password?: string;
  /** The password of the Sentinels. Default: none. */
  readonly sentinelPassword?: string;
}

const READY_MS = 30_000;
const FAILOVER_MS = 10_000;

/** A primary with replicas, and Sentinels that watch them, on 127.0.0.1 and free ports. */
export class LocalSentinels {
  readonly primary: string;
  /** The first was the primary at the start. */
  readonly servers: readonly LocalServer[];
  readonly sentinels: readonly LocalSentinel[];
  readonly #options: LocalSentinelsOptions;

  private constructor(options: LocalSentinelsOptions, servers: readonly LocalServer[], sentinels: readonly LocalSentinel[]) {
    this.#options = options;
    this.primary = options.primary ?? 'millrace';
    this.servers = servers;
    this.sentinels = sentinels;
  }

  /**
   * Resolves when replicas are in step, and each Sentinel knows all servers and all other Sentinels.
   *
   * @throws MillraceError REDIS_FAILED
   */
  static async start(options: LocalSentinelsOptions): Promise<LocalSentinels> {
    const { replicas = 1, sentinels: count = 3, primary = 'millrace' } = options;
    const servers: LocalServer[] = [];
    const sentinels: LocalSentinel[] = [];
    try {
      servers.push(await startServer(options));
      for (let index = 0; index < replicas; index += 1) servers.push(await startServer(options, servers[0]));
      const watching = { ...options, primary };
      for (let index = 0; index < count; index += 1) sentinels.push(await LocalSentinel.start(watching, servers[0]!, count));
      const all = new LocalSentinels(options, servers, sentinels);
      await all.whenOk();
      return all;
    } catch (error) {
      await Promise.all([...servers, ...sentinels].map((each) => each.stop()));
      throw error;
    }
  }

  get addresses(): RedisAddress[] {
    return this.sentinels.map(({ port }) => ({ host: '127.0.0.1', port }));
  }

  /** The server that a Sentinel which answers names as the primary. */
  async whoIsPrimary(): Promise<LocalServer> {
    for (const sentinel of this.sentinels.filter(({ isFrozen }) => !isFrozen)) {
      const named = await this.#namedBy(sentinel).catch(() => null);
      if (named) return named;
    }
    throw new MillraceError('REDIS_FAILED', 'No Sentinel names a primary.');
  }

  /** A replica takes the place of the primary. Resolves when every Sentinel says so. */
  async failover(): Promise<void> {
    const before = await this.whoIsPrimary();
    const isBegun = (): Promise<boolean> =>
      onServer(this.sentinels[0]!.at, async (call) => (await call('SENTINEL', 'FAILOVER', this.primary)) === 'OK');
    // A Sentinel takes a moment to see that a replica is good enough.
    await untilTrue(isBegun, 'a Sentinel to begin a failover', READY_MS);
    await this.untilPrimaryIsNot(before);
  }

  /** Resolves when every Sentinel names another primary. */
  async untilPrimaryIsNot(before: LocalServer): Promise<void> {
    const agree = async (): Promise<boolean> => {
      const named = await Promise.all(this.sentinels.filter(({ isFrozen }) => !isFrozen).map((each) => this.#namedBy(each)));
      return named.every((server) => server !== before && server === named[0] && server !== null);
    };
    await untilTrue(agree, 'the Sentinels to name another primary', READY_MS);
  }

  /** Resolves when each server runs and is in step, and each Sentinel knows of all. @throws MillraceError REDIS_FAILED */
  async whenOk(timeoutMs = READY_MS): Promise<void> {
    const areOk = async (): Promise<boolean> => {
      const sentinels = await Promise.all(this.sentinels.map((sentinel) => this.#isWatching(sentinel)));
      return sentinels.every(Boolean) && (await this.#areInStep());
    };
    await untilTrue(areOk, 'the Sentinels and their servers to be ok', timeoutMs);
  }

  /** Ends all of them and removes their folders. May be called again. */
  async stop(): Promise<void> {
    await Promise.all([...this.sentinels, ...this.servers].map((each) => each.stop()));
  }

  async #namedBy(sentinel: LocalSentinel): Promise<LocalServer | null> {
    const [, port] = (await onServer(sentinel.at, (call) => call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', this.primary))) as [string, string];
    return this.servers.find((server) => server.port === Number(port)) ?? null;
  }

  async #isWatching(sentinel: LocalSentinel): Promise<boolean> {
    const reply = (await onServer(sentinel.at, (call) => call('SENTINEL', 'MASTER', this.primary))) as string[];
    const field = (name: string): string => reply[reply.indexOf(name) + 1] ?? '';
    const knows = Number(field('num-slaves')) === this.servers.length - 1 && Number(field('num-other-sentinels')) === this.sentinels.length - 1;
    return knows && field('flags') === 'master';
  }

  /** There is one primary, and all others follow it. */
  async #areInStep(): Promise<boolean> {
    const texts = await Promise.all(this.servers.map(({ port }) => onServer(this.#portOf(port), (call) => call('INFO', 'replication'))));
    const followers = texts.filter((text) => String(text).includes('master_link_status:up'));
    const primaries = texts.filter((text) => String(text).includes('role:master'));
    return primaries.length === 1 && followers.length === this.servers.length - 1;
  }

  #portOf(port: number): LocalPort {
    return { port, password: this.#options.password };
  }
}

type Watching = LocalSentinelsOptions & { readonly primary: string };

/** One Sentinel: it writes what it knows into its own configuration. */
export class LocalSentinel {
  readonly at: LocalPort;
  readonly #folder: string;
  readonly #process: GuardedProcess;
  #isFrozen = false;

  private constructor(at: LocalPort, folder: string, guarded: GuardedProcess) {
    this.at = at;
    this.#folder = folder;
    this.#process = guarded;
  }

  static async start(options: Watching, watched: LocalServer, count: number): Promise<LocalSentinel> {
    const folder = await realpath(await mkdtemp(join(tmpdir(), 'millrace-sentinel-')));
    const port = await freePort();
    const file = join(folder, 'sentinel.conf');
    await writeFile(file, configuration(options, { port, folder, watched, quorum: Math.floor(count / 2) + 1 }));
    const guarded = new GuardedProcess({ command: [options.binary, file, '--sentinel'], env: options.env ?? process.env, folder });
    const sentinel = new LocalSentinel({ port, password: options.sentinelPassword }, folder, guarded);
    await sentinel.#ready();
    return sentinel;
  }

  async #ready(): Promise<void> {
    const answers = untilTrue(() => onServer(this.at, async (call) => (await call('PING')) === 'PONG'), 'a Sentinel to answer', READY_MS);
    const ended = this.#process.ended.then(async (how) => {
      throw new MillraceError('REDIS_FAILED', `The Sentinel ${how}. Its log ends with:\n${await this.#process.log()}`);
    });
    await Promise.race([answers, ended]);
  }

  get port(): number {
    return this.at.port;
  }

  get isFrozen(): boolean {
    return this.#isFrozen;
  }

  /** It stands still (SIGSTOP). */
  freeze(): void {
    process.kill(this.#process.pid, 'SIGSTOP');
    this.#isFrozen = true;
  }

  /** It goes on (SIGCONT). */
  thaw(): void {
    process.kill(this.#process.pid, 'SIGCONT');
    this.#isFrozen = false;
  }

  /** May be called again. */
  async stop(): Promise<void> {
    await this.#process.end();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

interface SentinelPlace {
  readonly port: number;
  readonly folder: string;
  readonly watched: LocalServer;
  /** How many must take the primary for failed. */
  readonly quorum: number;
}

function configuration(options: Watching, { port, folder, watched, quorum }: SentinelPlace): string {
  const { primary, downAfterMs = 1_000, password, sentinelPassword } = options;
  return [
    `port ${port}`, 'bind 127.0.0.1', `dir ${folder}`,
    ...(sentinelPassword === undefined ? [] : [`requirepass ${quoted(sentinelPassword)}`, `sentinel sentinel-pass ${quoted(sentinelPassword)}`]),
    `sentinel monitor ${primary} 127.0.0.1 ${watched.port} ${quorum}`,
    ...(password === undefined ? [] : [`sentinel auth-pass ${primary} ${quoted(password)}`]),
    `sentinel down-after-milliseconds ${primary} ${downAfterMs}`,
    `sentinel failover-timeout ${primary} ${FAILOVER_MS}`,
    `sentinel parallel-syncs ${primary} 1`, '',
  ].join('\n');
}

/** As a configuration writes a text with spaces. */
function quoted(text: string): string {
  return JSON.stringify(text);
}

/** @param followed present: the server is a replica of it */
async function startServer(options: LocalSentinelsOptions, followed?: LocalServer): Promise<LocalServer> {
  const { binary, appendonly, extra = [], env, password } = options;
  const following = followed ? ['--replicaof', '127.0.0.1', String(followed.port)] : [];
  return LocalServer.start({
    binary,
    extra: ['--repl-diskless-sync-delay', '0', ...following, ...extra],
    ...(password === undefined ? {} : { password }),
    ...(appendonly === undefined ? {} : { appendonly }),
    ...(env === undefined ? {} : { env }),
  });
}
