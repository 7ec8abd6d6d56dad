import type { RedisConnection, Topology } from '@millrace/redis';

/** Has each connection seen, once, over which a process calls and answers. */
export function watchPublishing(redis: Topology, see: (connection: RedisConnection) => void): void {
  const publishFor = redis.publishFor.bind(redis);
  const seen = new Set<RedisConnection>();
  redis.publishFor = (key) => {
    const connection = publishFor(key);
    if (!seen.has(connection)) see(connection);
    seen.add(connection);
    return connection;
  };
}
