import type { RedisConnection, Topology } from '@millrace/redis';

/** Stops the signs of life of a process, and nothing else. @returns a function that starts them again */
export function silence({ redis }: { readonly redis: Pick<Topology, 'controlFor' | 'publishFor'> }): () => void {
  const restores = [redis.controlFor(''), redis.publishFor('')].map(silenced);
  return () => restores.forEach((restore) => restore());
}

function silenced(connection: RedisConnection): () => void {
  const run = connection.run.bind(connection);
  connection.run = (script, ...args) => (script.name === 'beat.lua' ? new Promise(() => undefined) : run(script, ...args));
  return () => void (connection.run = run);
}
