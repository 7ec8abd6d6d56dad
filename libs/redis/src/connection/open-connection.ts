import { Redis } from 'ioredis';
import { type Profile, PROFILES } from './profiles.js';
import { RedisConnection } from './redis-connection.js';
import { type RedisTarget, tlsOf } from './redis-target.js';

/** A connection to a server, which does not connect yet. */
export function redisConnection(target: RedisTarget, name: string, profile: Profile): RedisConnection {
  return new RedisConnection(name, (reconnectOnError) => {
    const own = { ...tlsOf(target), connectionName: name, reconnectOnError };
    return new Redis(target.url.replace(/^unix:\/\//, ''), { ...PROFILES[profile], ...own });
  });
}

/** A connection to a server, which begins to connect. */
export function openConnection(target: RedisTarget, name: string, profile: Profile): RedisConnection {
  const connection = redisConnection(target, name, profile);
  connection.connect();
  return connection;
}
