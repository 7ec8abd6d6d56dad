import { Redis, type RedisOptions } from 'ioredis';
import { type Profile, PROFILES, SENTINEL_PROFILE } from './profiles.js';
import { ServerConnection } from './server-connection.js';
import type { RedisAddress } from './redis-address.js';
import { type RedisLogin, type SentinelTarget, type ServerTarget, tlsOf, trustFor } from './redis-target.js';

/** Makes a connection with the name of its purpose, which does not connect yet. */
export type MakeConnection = (name: string, profile: Profile) => ServerConnection;

/** Connections to one server. */
export function toServer(target: ServerTarget): MakeConnection {
  return maker((options) => new Redis(target.url.replace(/^unix:\/\//, ''), { ...options, ...tlsOf(target) }));
}

/** Connections to one node of a Cluster. */
export function toNode({ host, port }: RedisAddress, login: RedisLogin): MakeConnection {
  const own = { host, port, ...credentialsOf(login), ...(login.tls ? { tls: trustFor(host, login.tls) } : {}) };
  return maker((options) => new Redis({ ...options, ...own }));
}

/** Connections to the server that Sentinels name as the primary, whichever that is when one is made. */
export function toPrimary({ sentinel, database = 0, ...login }: SentinelTarget): MakeConnection {
  const { nodes, primary, username, password, tls, natMap } = sentinel;
  return maker((options) => new Redis({
    ...options, ...SENTINEL_PROFILE, ...credentialsOf(login), db: database,
    sentinels: nodes.map(({ host, port }) => ({ host, port })), name: primary,
    ...(username === undefined ? {} : { sentinelUsername: username }),
    ...(password === undefined ? {} : { sentinelPassword: password }),
    ...(tls ? { sentinelTLS: tls } : {}),
    ...(login.tls ? { enableTLSForSentinelMode: true, tls: login.tls } : {}),
    ...(natMap ? { natMap: { ...natMap } } : {}),
  }));
}

function maker(redisOf: (options: RedisOptions) => Redis): MakeConnection {
  return (name, profile) =>
    new ServerConnection(name, (reconnectOnError) => redisOf({ ...PROFILES[profile], connectionName: name, reconnectOnError }));
}

/** The user and the password as ioredis takes them. */
export function credentialsOf({ username, password }: RedisLogin): Pick<RedisOptions, 'username' | 'password'> {
  return { ...(username === undefined ? {} : { username }), ...(password === undefined ? {} : { password }) };
}

/** A connection to a server, which does not connect yet. */
export function redisConnection(target: ServerTarget, name: string, profile: Profile): ServerConnection {
  return toServer(target)(name, profile);
}
