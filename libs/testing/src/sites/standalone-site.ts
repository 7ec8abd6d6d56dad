import type { RedisTarget } from '@millrace/redis';
import { type Network, TcpNetwork } from '../network.js';
import { startTestRedis, type TestRedis, type TestRedisOptions } from '../test-redis.js';
import type { Site } from './site.js';

/** One server. */
export class StandaloneSite implements Site {
  readonly server: TestRedis;

  constructor(server: TestRedis) {
    this.server = server;
  }

  static async start(options: TestRedisOptions = {}): Promise<StandaloneSite> {
    return new StandaloneSite(await startTestRedis(options));
  }

  get target(): RedisTarget {
    return { url: this.server.url };
  }

  network(): Promise<Network> {
    return TcpNetwork.toServer(this.server.url);
  }

  async crash(): Promise<void> {
    await this.server.kill();
    await this.server.restart();
  }

  async stop(): Promise<void> {
    await this.server.stop();
  }
}
