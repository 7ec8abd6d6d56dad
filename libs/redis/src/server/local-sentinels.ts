import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MillraceError } from '@millrace/core';
import type { RedisAddress } from '../connection/redis-address.js';
import { type LocalPlace, LocalProcess, startInPlace } from './local-process.js';
import { LocalServer, type LocalServerOptions } from './local-server.js';
import { type LocalTls, trustSettings } from './local-tls.js';
import { type LocalPort, onServer, untilTrue } from './node-command.js';

export interface LocalSentinelsOptions extends Pick<LocalServerOptions, 'binary' | 'appendonly' | 'tls' | 'extra' | 'env'> {
  /** Default 1. */
  readonly replicas?: number;
  /** Default 3, of which a majority decides. */
  readonly sentinels?: number;
  /** The name under which they watch the primary. Default `millrace`. */
  readonly primary?: string;
  /** After so long without an answer a Sentinel takes a server for failed. Default 1,000. */
  readonly downAfterMs?: number;
  /** How long an attempt at a failover may take; one of the same primary follows after twice as long. Default 5,000. */
  readonly failoverTimeoutMs?: number;
  /** The password of the servers that store data. Default: none. */
  readonly password?: string;
  /** The password of the Sentinels. Default: none. */
  readonly sentinelPassword?: string;
  /**
   * Sentinels speak TLS alone. They reach each other as they reach servers: where one of `tls` and `sentinelTls` is there alone,
   * start one Sentinel. Default: no TLS.
   */
  readonly sentinelTls?: LocalTls;
  /** A name of 127.0.0.1 by which Sentinels know servers, and name them. Default: the address. */
  readonly hostname?: string;
}

/** A Sentinel that was not scheduled for two seconds decides nothing for 30 seconds (TILT). */
const SUCCEEDED_MS = 75_000;
const READY_MS = 30_000;
/**
 * How often a Sentinel asks servers for their state and tells others of its own: by itself every 10 and 2 seconds. It lets
 * four of the latter pass before it makes a primary that came back a replica.
 */
const INFO_MS = 1_000;
const PUBLISH_MS = 500;

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
    for (const sentinel of this.#answering) {
      const named = await this.#namedBy(sentinel).catch(() => null);
      if (named) return named;
    }
    throw new MillraceError('REDIS_FAILED', 'No Sentinel names a primary.');
  }

  /** A replica takes the place of the primary. Resolves when every Sentinel says so. */
  async failover(): Promise<void> {
    const before = await this.whoIsPrimary();
    const [sentinel] = this.#answering;
    if (!sentinel) throw new MillraceError('REDIS_FAILED', 'No Sentinel runs that could begin a failover: start one again or thaw it.');
    const isBegun = (): Promise<boolean> => onServer(sentinel.at, async (call) => (await call('SENTINEL', 'FAILOVER', this.primary)) === 'OK');
    // A Sentinel takes a moment to see that a replica is good enough.
    await untilTrue(isBegun, 'a Sentinel to begin a failover', READY_MS);
    await this.untilPrimaryIsNot(before);
  }

  /** Resolves when every Sentinel that answers names the same other primary. */
  async untilPrimaryIsNot(before: LocalServer): Promise<void> {
    const agree = async (): Promise<boolean> => {
      const named = await Promise.all(this.#answering.map((each) => this.#namedBy(each)));
      return named.every((server) => server !== before && server === named[0] && server !== null);
    };
    await untilTrue(agree, 'the Sentinels to name another primary', SUCCEEDED_MS);
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

  get #answering(): LocalSentinel[] {
    return this.sentinels.filter(({ isRunning, isFrozen }) => isRunning && !isFrozen);
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

  /** All Sentinels name the one primary that there is, and all other servers follow it. */
  async #areInStep(): Promise<boolean> {
    const named = new Set(await Promise.all(this.sentinels.map((sentinel) => this.#namedBy(sentinel))));
    const texts = await Promise.all(this.servers.map(({ port }) => onServer(this.#portOf(port), (call) => call('INFO', 'replication'))));
    const followers = texts.filter((text) => String(text).includes('master_link_status:up'));
    const primaries = this.servers.filter((_, index) => String(texts[index]).includes('role:master'));
    return primaries.length === 1 && named.size === 1 && named.has(primaries[0]!) && followers.length === this.servers.length - 1;
  }

  #portOf(port: number): LocalPort {
    return { port, password: this.#options.password, tls: this.#options.tls };
  }
}

type Watching = LocalSentinelsOptions & { readonly primary: string };

/** One Sentinel: it writes what it knows into its own configuration. */
export class LocalSentinel extends LocalProcess {
  readonly at: LocalPort;

  private constructor(options: Watching, place: LocalPlace) {
    const { binary, env, sentinelPassword: password, sentinelTls: tls } = options;
    super({ place, command: [binary, fileIn(place), '--sentinel'], env, password, tls });
    this.at = { port: this.port, password, tls };
  }

  static start(options: Watching, watched: LocalServer, count: number): Promise<LocalSentinel> {
    return startInPlace({ prefix: 'millrace-sentinel-', ports: 1 }, async (place) => {
      await writeFile(fileIn(place), configuration(options, { place, watched, quorum: Math.floor(count / 2) + 1 }));
      return new LocalSentinel(options, place);
    });
  }

  override async whenReady(): Promise<void> {
    await super.whenReady();
    await onServer(this.at, (call) => call('SENTINEL', 'DEBUG', 'INFO-PERIOD', INFO_MS, 'PUBLISH-PERIOD', PUBLISH_MS));
  }
}

interface SentinelPlace {
  readonly place: LocalPlace;
  readonly watched: LocalServer;
  /** How many must take the primary for failed. */
  readonly quorum: number;
}

function configuration(options: Watching, { place, watched, quorum }: SentinelPlace): string {
  const { primary, downAfterMs = 1_000, failoverTimeoutMs = 5_000, password, sentinelPassword, hostname } = options;
  return [
    ...portLines(options, place.ports[0]), 'bind 127.0.0.1', `dir ${place.folder}`,
    ...(sentinelPassword === undefined ? [] : [`requirepass ${quoted(sentinelPassword)}`, `sentinel sentinel-pass ${quoted(sentinelPassword)}`]),
    ...(hostname === undefined ? [] : ['sentinel resolve-hostnames yes', 'sentinel announce-hostnames yes']),
    `sentinel monitor ${primary} ${hostname ?? '127.0.0.1'} ${watched.port} ${quorum}`,
    ...(password === undefined ? [] : [`sentinel auth-pass ${primary} ${quoted(password)}`]),
    `sentinel down-after-milliseconds ${primary} ${downAfterMs}`,
    `sentinel failover-timeout ${primary} ${failoverTimeoutMs}`,
    `sentinel parallel-syncs ${primary} 1`, '',
  ].join('\n');
}

function portLines({ tls, sentinelTls }: Watching, port: number): string[] {
  const trusted = sentinelTls ?? tls;
  const trust = trusted ? trustSettings(trusted).map(([name, value]) => `${name} ${quoted(value)}`) : [];
  const ports = sentinelTls ? ['port 0', `tls-port ${port}`] : [`port ${port}`];
  return [...ports, ...trust, ...(tls ? ['tls-replication yes'] : [])];
}

function fileIn({ folder }: LocalPlace): string {
  return join(folder, 'sentinel.conf');
}

/** As a configuration writes a text with spaces. */
function quoted(text: string): string {
  return JSON.stringify(text);
}

/** @param followed present: the server is a replica of it */
async function startServer(options: LocalSentinelsOptions, followed?: LocalServer): Promise<LocalServer> {
  const { binary, appendonly, tls, extra = [], env, password, hostname } = options;
  const following = followed ? ['--replicaof', hostname ?? '127.0.0.1', String(followed.port)] : [];
  const named = hostname === undefined ? [] : ['--replica-announce-ip', hostname];
  return LocalServer.start({
    binary,
    extra: ['--repl-diskless-sync-delay', '0', ...following, ...named, ...extra],
    ...(password === undefined ? {} : { password }),
    ...(appendonly === undefined ? {} : { appendonly }),
    ...(tls === undefined ? {} : { tls }),
    ...(env === undefined ? {} : { env }),
  });
}
