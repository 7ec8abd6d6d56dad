import type { PayloadClass } from '@millrace/core';
import { connectServer, type StandaloneTopology } from '@millrace/redis';
import { type Network, startTestRedis, TcpNetwork, TcpProxy, type TestRedis, type TestRedisOptions } from '@millrace/testing';
import { type Process, startProcess } from './fixture.js';
import { SiteGround, type StartOptions } from './site-ground.js';

export type { StartOptions } from './site-ground.js';

/** A Redis server with processes that speak to it under one prefix, and direct access. It needs no runner of tests. */
export class Ground extends SiteGround {
  server!: TestRedis;
  protected readonly options: TestRedisOptions;
  #direct!: StandaloneTopology;
  #proxies: TcpProxy[] = [];

  constructor(options: TestRedisOptions = {}) {
    super();
    this.options = options;
  }

  /** The address of Redis for all processes. */
  get url(): string {
    return this.server.url;
  }

  async open(): Promise<void> {
    await this.startServers();
    this.#direct = await connectServer({ url: this.url, name: 'spec' });
  }

  /** Stops the processes, and leaves the server. */
  override async clear(): Promise<void> {
    await super.clear();
    await Promise.all(this.#proxies.splice(0).map((proxy) => proxy.stop()));
  }

  async close(): Promise<void> {
    this.#direct.close();
    await this.stopServers();
  }

  async start(options: StartOptions = {}): Promise<Process> {
    return this.add(await startProcess(this.url, { prefix: this.prefix, leaseMs: 300, ...options }));
  }

  /** A process whose own network can be broken. */
  async startBehindProxy(options: StartOptions = {}): Promise<{ process: Process; proxy: TcpProxy }> {
    const proxy = await TcpProxy.start(this.url);
    this.#proxies.push(proxy);
    return { proxy, process: this.add(await startProcess(proxy.url, { prefix: this.prefix, leaseMs: 300, ...options })) };
  }

  /** One command to Redis, past the tested code. */
  command(name: string, ...args: (string | number)[]): Promise<unknown> {
    return this.#direct.control.call(name, ...args);
  }

  read(name: string, ...args: (string | number)[]): Promise<unknown> {
    return this.command(name, ...args);
  }

  network(): Promise<Network> {
    return TcpNetwork.toServer(this.url);
  }

  /** `[entry id, owner, idle ms, delivery count]` of the pending entries of the log. */
  async pending(topic: PayloadClass, group: string): Promise<[string, string, number, number][]> {
    return (await this.command('XPENDING', this.place(topic, group).keys.log, group, '-', '+', 1_000)) as [string, string, number, number][];
  }

  protected async startServers(): Promise<void> {
    this.server = await startTestRedis(this.options);
  }

  protected async stopServers(): Promise<void> {
    await this.server.stop();
  }
}
