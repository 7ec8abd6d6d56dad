import { Redis, type RedisOptions } from 'ioredis';
import { connectorTo } from './primary-connector.js';
import { DISCONNECT_TIMEOUT_MS, type Profile, PROFILES } from './profiles.js';
import type { RedisAddress } from './redis-address.js';
import { credentialsOf, type RedisLogin, type SentinelTarget, type ServerTarget, tlsOf, trustFor } from './redis-target.js';
import type { Sentinels } from './sentinels.js';
import { ServerConnection } from './server-connection.js';
import { hearingErrors } from './socket-errors.js';

/** Makes a connection with the name of its purpose, which does not connect yet. */
export type MakeConnection = (name: string, profile: Profile) => ServerConnection;

/** Connections to one server. */
export function toServer(target: ServerTarget): MakeConnection {
  return maker((options) => new Redis(target.url.replace(/^unix:\/\//, ''), { ...options, ...tlsOf(target) }));
}

/** Connections to one node of a Cluster. @param node the name of the node, where it has another address here */
export function toNode({ host, port }: RedisAddress, login: RedisLogin, node = `${host}:${port}`): MakeConnection {
  const own = { host, port, ...credentialsOf(login), ...(login.tls ? { tls: trustFor(host, login.tls) } : {}) };
  return maker((options) => new Redis({ ...options, ...own }), node);
}

/** Connections to the primary that Sentinels name, whichever that is when one is made. */
export function toPrimary(sentinels: Sentinels, { database = 0, ...login }: Omit<SentinelTarget, 'sentinel'>): MakeConnection {
  const Connector = connectorTo(sentinels, { disconnectTimeout: DISCONNECT_TIMEOUT_MS, tls: login.tls });
  const own = { Connector, db: database, ...credentialsOf(login), ...(login.tls ? { tls: login.tls } : {}) };
  return maker((options) => new Redis({ ...options, ...own }));
}

function maker(redisOf: (options: RedisOptions) => Redis, node?: string): MakeConnection {
  return (name, profile) => {
    const driverOf = (reconnectOnError: (error: Error) => boolean): Redis =>
      hearingErrors(redisOf({ ...PROFILES[profile], connectionName: name, reconnectOnError }));
    return new ServerConnection(name, driverOf, node);
  };
}

/** A connection to a server, which does not connect yet. */
export function redisConnection(target: ServerTarget, name: string, profile: Profile): ServerConnection {
  return toServer(target)(name, profile);
}
