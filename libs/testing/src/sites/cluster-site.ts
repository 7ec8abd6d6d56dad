import { LocalCluster, type LocalClusterOptions, type RedisTarget } from '@millrace/redis';
import { type Network, TcpNetwork } from '../network.js';
import { testBinary } from '../test-redis.js';
import type { Site } from './site.js';

/** A Redis Cluster. */
export class ClusterSite implements Site {
  readonly cluster: LocalCluster;

  private constructor(cluster: LocalCluster) {
    this.cluster = cluster;
  }

  static async start(options: Omit<LocalClusterOptions, 'binary' | 'env'> = {}): Promise<ClusterSite> {
    return new ClusterSite(await LocalCluster.start({ ...options, binary: await testBinary() }));
  }

  get target(): RedisTarget {
    return { cluster: { nodes: this.cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port })) } };
  }

  network(): Promise<Network> {
    return TcpNetwork.toCluster(this.cluster.nodes.map(({ port }) => port));
  }

  async crash(): Promise<void> {
    const { nodes } = this.cluster;
    await Promise.all(nodes.map((node) => node.kill()));
    await Promise.all(nodes.map((node) => node.restart()));
    await this.cluster.whenOk();
  }

  async stop(): Promise<void> {
    await this.cluster.stop();
  }
}
