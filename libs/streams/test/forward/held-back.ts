import type { RedisConnection, Topology } from '@millrace/redis';
import { bound } from './gate.js';

/** The same topology, whose connections for publishing run no script for these keys until the promise resolves. */
export function heldBack<T extends Topology>(redis: T, keys: readonly string[], until: Promise<void>): T {
  const held = (connection: RedisConnection): RedisConnection =>
    new Proxy(connection, {
      get: (target, name) => (name === 'run' ? (...args: Parameters<RedisConnection['run']>) => until.then(() => target.run(...args)) : bound(target, name)),
    });
  const publishFor = (key: string): RedisConnection => (keys.includes(key) ? held(redis.publishFor(key)) : redis.publishFor(key));
  return new Proxy(redis, { get: (target, name) => (name === 'publishFor' ? publishFor : bound(target, name)) });
}
