import { LocalSentinels, type LocalSentinelsOptions, type SentinelTarget } from '@millrace/redis';
import { type Network, TcpNetwork } from '../network.js';
import { testBinary } from '../test-redis.js';
import type { Site } from './site.js';

/** A primary with replicas, and Sentinels that watch them. */
export class SentinelSite implements Site {
  readonly all: LocalSentinels;

  private constructor(all: LocalSentinels) {
    this.all = all;
  }

  static async start(options: Omit<LocalSentinelsOptions, 'binary' | 'env'> = {}): Promise<SentinelSite> {
    return new SentinelSite(await LocalSentinels.start({ ...options, binary: await testBinary() }));
  }

  get target(): SentinelTarget {
    return { sentinel: { nodes: this.all.addresses, primary: this.all.primary } };
  }

  network(): Promise<Network> {
    return TcpNetwork.toPrimary(this.target.sentinel, this.all.servers.map(({ port }) => port));
  }

  async crash(): Promise<void> {
    const { servers } = this.all;
    await Promise.all(servers.map((server) => server.kill()));
    await Promise.all(servers.map((server) => server.restart()));
    await this.all.whenOk();
  }

  async stop(): Promise<void> {
    await this.all.stop();
  }
}
