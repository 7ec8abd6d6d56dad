import { isIP } from 'node:net';
import type { NatMap, RedisAddress } from './redis-address.js';
import { maskUrl } from './redis-url.js';

/** All that a TLS connection to Redis trusts and shows, each certificate and key as PEM text. */
export interface RedisTls {
  /** The authorities that may have signed the server's certificate. Default: those that Node knows. */
  readonly ca?: string;
  /** The certificate of this process, for a server that asks for one; with its key. */
  readonly cert?: string;
  readonly key?: string;
  /** The name that the server's certificate must have. Default: the host, where that is a name. */
  readonly servername?: string;
}

/** One server by its URL, with the user and the password in it. A node of a Cluster leads to the whole Cluster. */
export interface ServerTarget {
  /** `redis://user:password@host:port/db`, `rediss://` for TLS, or `unix:///path/of.sock`. */
  readonly url: string;
  /** For `rediss://`. */
  readonly tls?: RedisTls;
}

/** The user and the password for each server that stores data, and how to trust them. */
export interface RedisLogin {
  /** Default: the one that Redis calls `default`. */
  readonly username?: string;
  /** Default: none. */
  readonly password?: string;
  /** Present, if only as `{}`: connections are encrypted. */
  readonly tls?: RedisTls;
}

/** A Redis Cluster. Its nodes tell of each other: those that are named here need not be all. */
export interface ClusterTarget extends RedisLogin {
  readonly cluster: {
    readonly nodes: readonly RedisAddress[];
    /** For nodes that cannot be reached at the addresses that they announce. Default: none. */
    readonly natMap?: NatMap;
  };
}

/** A primary that Sentinels watch, and the replicas that may take its place. */
export interface SentinelTarget extends RedisLogin {
  readonly sentinel: SentinelsOfTarget;
  /** The number of the database. Default 0. */
  readonly database?: number;
}

export interface SentinelsOfTarget {
  readonly nodes: readonly RedisAddress[];
  /** The name under which the Sentinels watch the primary. */
  readonly primary: string;
  /** The user and the password of the Sentinels themselves. Default: none. */
  readonly username?: string;
  readonly password?: string;
  /** Present, if only as `{}`: connections to the Sentinels are encrypted. */
  readonly tls?: RedisTls;
  /** As that of a Cluster, for the servers that Sentinels name. */
  readonly natMap?: NatMap;
}

/** Which Redis, and how to trust it. */
export type RedisTarget = ServerTarget | ClusterTarget | SentinelTarget;

/**
 * The TLS options of a `rediss://` URL: its host by name, so that a server with several names knows which is meant. An
 * address of numbers has no name to send along.
 */
export function tlsOf({ url, tls = {} }: ServerTarget): { tls?: RedisTls } {
  if (!url.startsWith('rediss://')) return {};
  const { hostname } = new URL(url);
  return { tls: trustFor(hostname.replace(/^\[(.*)\]$/, '$1'), tls) };
}

/** The TLS options of a connection to this host. */
export function trustFor(host: string, tls: RedisTls): RedisTls {
  return isIP(host) === 0 ? { servername: host, ...tls } : tls;
}

/** The user and the password as options of ioredis, which takes one that is undefined for one that is there. */
export function credentialsOf({ username, password }: Pick<RedisLogin, 'username' | 'password'>): { username?: string; password?: string } {
  return { ...(username === undefined ? {} : { username }), ...(password === undefined ? {} : { password }) };
}

/** Where a Redis is, as it may be shown. */
export function shownTarget(target: RedisTarget): string {
  if ('cluster' in target) return `the Cluster ${listOf(target.cluster.nodes)}`;
  if ('sentinel' in target) return `the primary '${target.sentinel.primary}' of the Sentinels ${listOf(target.sentinel.nodes)}`;
  return maskUrl(target.url);
}

function listOf(addresses: readonly RedisAddress[]): string {
  return addresses.map(({ host, port }) => (isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`)).join(', ');
}
