import type { ClusterTarget, RedisAddress, RedisTarget, SentinelTarget } from '@millrace/redis';
import { TcpProxy } from './tcp-proxy.js';

/** A network of one process, which can be broken. A fault lasts until the next call; {@link pass} ends them all. */
export interface Network {
  /** How the process reaches Redis through it. */
  readonly target: RedisTarget;
  /** Every open connection ends with a TCP reset; new ones are as before. */
  reset(): void;
  /** Requests reach the servers, their replies are lost. Resolves when the first one was. */
  dropReplies(): Promise<void>;
  /** Open connections are reset, new ones refused. */
  refuse(): Promise<void>;
  /** Connections stay open, and nothing arrives. */
  blackHole(): void;
  pass(): Promise<void>;
  stop(): Promise<void>;
}

/** A network to one server or several, which breaks for all of them at once. A map leads past their announced addresses. */
export class TcpNetwork implements Network {
  readonly target: RedisTarget;
  readonly #proxies: readonly TcpProxy[];

  private constructor(target: RedisTarget, proxies: readonly TcpProxy[]) {
    this.target = target;
    this.#proxies = proxies;
  }

  /** To one server. */
  static async toServer(url: string): Promise<TcpNetwork> {
    const proxy = await TcpProxy.start(url);
    return new TcpNetwork({ url: proxy.url }, [proxy]);
  }

  /** @param ports those of all nodes on 127.0.0.1 */
  static async toCluster(ports: readonly number[]): Promise<TcpNetwork> {
    const { proxies, natMap } = await proxiesFor(ports);
    const target: ClusterTarget = { cluster: { nodes: Object.values(natMap), natMap } };
    return new TcpNetwork(target, proxies);
  }

  /**
   * @param sentinel Sentinels that are reached directly
   * @param ports those of all servers that they may name, on 127.0.0.1
   */
  static async toPrimary(sentinel: SentinelTarget['sentinel'], ports: readonly number[]): Promise<TcpNetwork> {
    const { proxies, natMap } = await proxiesFor(ports);
    return new TcpNetwork({ sentinel: { ...sentinel, natMap } }, proxies);
  }

  reset(): void {
    for (const proxy of this.#proxies) proxy.reset();
  }

  async dropReplies(): Promise<void> {
    await Promise.race(this.#proxies.map((proxy) => proxy.dropReplies()));
  }

  async refuse(): Promise<void> {
    await Promise.all(this.#proxies.map((proxy) => proxy.refuse()));
  }

  blackHole(): void {
    for (const proxy of this.#proxies) proxy.blackHole();
  }

  async pass(): Promise<void> {
    await Promise.all(this.#proxies.map((proxy) => proxy.pass()));
  }

  async stop(): Promise<void> {
    await Promise.all(this.#proxies.map((proxy) => proxy.stop()));
  }
}

async function proxiesFor(ports: readonly number[]): Promise<{ proxies: TcpProxy[]; natMap: Record<string, RedisAddress> }> {
  const proxies = await Promise.all(ports.map((port) => TcpProxy.start(`redis://127.0.0.1:${port}`)));
  const natMap = proxies.map(({ port }, index) => [`127.0.0.1:${ports[index]}`, { host: '127.0.0.1', port }] as const);
  return { proxies, natMap: Object.fromEntries(natMap) };
}
