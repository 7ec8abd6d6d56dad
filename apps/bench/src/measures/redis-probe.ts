import type { Redis } from 'ioredis';
import { openRedis } from '../contenders/redis-client.js';
import { cpuTimeUs } from '../servers/cpu-clock.js';
import type { BenchServer } from '../servers/server.js';
import type { Stage } from '../stage.js';
import { CommandCount } from './command-count.js';

/** One call of Redis, and how long it took. */
export interface Call {
  readonly ms: number;
  readonly command: string;
}

/** Looks at a Redis from outside. */
export class RedisProbe {
  readonly #server: BenchServer;
  readonly #redis: Redis;

  readonly #stage: Stage;

  constructor(server: BenchServer, stage: Stage) {
    this.#server = server;
    this.#stage = stage;
    this.#redis = openRedis(server.url);
  }

  /** Client connections, without its own. */
  async connections(): Promise<number> {
    return (await this.addresses()).size;
  }

  /** The addresses of the clients that are connected, without its own. */
  async addresses(): Promise<Set<string>> {
    const [id, list] = [await this.#redis.client('ID'), (await this.#redis.client('LIST')) as string];
    const others = list.split('\n').filter((line) => line !== '' && !line.startsWith(`id=${id} `));
    return new Set(others.map((line) => / addr=(\S+)/.exec(line)?.[1] ?? ''));
  }

  /**
   * Commands that clients write in so many seconds; those that scripts call are not counted.
   *
   * @param from only those of clients with these addresses. Default all
   */
  async commands(seconds: number, from?: ReadonlySet<string>): Promise<number> {
    const counting = await CommandCount.open(this.#server.url, from);
    try {
      await this.#stage.pause(seconds * 1_000);
    } finally {
      counting.close();
    }
    return counting.count;
  }

  /** Cores that the server used on average in so many seconds. */
  async cores(seconds: number): Promise<number> {
    const before = await cpuTimeUs(this.#server.pid);
    await this.#stage.pause(seconds * 1_000);
    return ((await cpuTimeUs(this.#server.pid)) - before) / (seconds * 1e6);
  }

  async usedMemory(): Promise<number> {
    return this.#info('memory', 'used_memory');
  }

  async bytesReceived(): Promise<number> {
    return this.#info('stats', 'total_net_input_bytes');
  }

  async limitMemory(bytes: number): Promise<void> {
    await this.#redis.config('SET', 'maxmemory', String(bytes));
  }

  /** Times every call from now on; {@link longestCallMs} reports the longest. */
  async timeCalls(): Promise<void> {
    await this.#redis.config('SET', 'slowlog-log-slower-than', '100');
    await this.#redis.config('SET', 'slowlog-max-len', '10000');
    await this.#redis.call('SLOWLOG', 'RESET');
  }

  /** The longest call since {@link timeCalls}, in milliseconds, and its command. */
  async longestCall(): Promise<Call> {
    const log = (await this.#redis.call('SLOWLOG', 'GET', '10000')) as [number, number, number, string[]][];
    const ours = log.filter(([, , , args]) => !/^(config|slowlog|info)$/i.test(args[0] ?? ''));
    const [longest] = ours.sort((a, b) => b[2] - a[2]);
    return { ms: (longest?.[2] ?? 0) / 1_000, command: longest?.[3].slice(0, 2).join(' ').replace(/\s+/g, ' ') ?? 'none' };
  }

  close(): void {
    this.#redis.disconnect();
  }

  async #info(section: string, name: string): Promise<number> {
    return Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(await this.#redis.info(section))?.[1]);
  }
}
