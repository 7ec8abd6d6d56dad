import type { RedisArgument, RedisConnection, RunnableScript, Topology } from '@millrace/redis';
import type { MemoryRedis } from '@millrace/testing';

/** Commands and scripts for a Redis in memory, as a connection sends them. */
class MemoryConnection {
  readonly #memory: MemoryRedis;
  readonly #loaded = new Set<string>();

  constructor(memory: MemoryRedis) {
    this.#memory = memory;
  }

  async call(command: string, ...args: RedisArgument[]): Promise<unknown> {
    return this.#memory.execute(command, ...args);
  }

  async run({ sha, source }: RunnableScript, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown> {
    this.#load(sha, source);
    return this.#memory.execute('EVALSHA', sha, keys.length, ...keys, ...args);
  }

  #load(sha: string, source: string): void {
    if (this.#loaded.has(sha)) return;
    this.#memory.execute('SCRIPT', 'LOAD', source);
    this.#loaded.add(sha);
  }
}

/** A topology with as much of a connection as upkeep and inspection use. */
export function memoryTopology(memory: MemoryRedis): Topology {
  const connection = new MemoryConnection(memory) as unknown as RedisConnection;
  const unused = (): never => {
    throw new Error('There are no connections of their own to a Redis in memory.');
  };
  return {
    server: { version: '7.0.15', product: 'Redis 7.0.15', evictionPolicy: 'noeviction', capabilities: new Set() },
    publishFor: () => connection, controlFor: () => connection, blockingFor: unused, listening: unused,
    ping: async () => undefined,
    close: () => undefined,
  };
}
