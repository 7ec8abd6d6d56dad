import { isIP } from 'node:net';

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

/** Which Redis, and how to trust it. */
export interface RedisTarget {
  /** `redis://user:password@host:port/db`, `rediss://` for TLS, or `unix:///path/of.sock`. */
  readonly url: string;
  /** For `rediss://`. */
  readonly tls?: RedisTls;
}

/**
 * The TLS options of a `rediss://` URL: its host by name, so that a server with several names knows which is meant. An
 * address of numbers has no name to send along.
 */
export function tlsOf({ url, tls = {} }: RedisTarget): { tls?: RedisTls } {
  if (!url.startsWith('rediss://')) return {};
  const { hostname } = new URL(url);
  return { tls: isIP(hostname.replace(/^\[(.*)\]$/, '$1')) === 0 ? { servername: hostname, ...tls } : tls };
}
