import { afterAll, afterEach, beforeAll, beforeEach, expect } from '@jest/globals';
import { connectRedis, type RedisTarget, type Topology } from '@millrace/redis';
import { type Network, type Site, uniqueName } from '@millrace/testing';
import { type RpcProcess, type RpcProcessOptions, startRpcProcess } from './rpc-process.js';

export const LEASE_MS = 400;

/**
 * A Redis, whichever way it is set up, with processes that call and serve under one prefix, and direct access. After each test no
 * call may be pending.
 */
export class SiteGround<Place extends Site = Site> {
  site!: Place;
  prefix!: string;
  #direct!: Topology;
  #processes: RpcProcess[] = [];
  #networks: Pick<Network, 'stop'>[] = [];

  /** Call it where `describe` is called: it registers hooks. */
  constructor(name: string, start: () => Promise<Place>) {
    beforeAll(async () => {
      this.site = await start();
      this.#direct = await connectRedis({ ...this.target, name: 'spec' });
    });
    beforeEach(() => void (this.prefix = uniqueName(name)));
    afterEach(() => this.#clear());
    afterAll(async () => {
      this.#direct.close();
      await this.site.stop();
    });
  }

  get target(): RedisTarget {
    return this.site.target;
  }

  /** One command that begins with a key, past the tested code. */
  on(key: string, command: string, ...args: (string | number)[]): Promise<unknown> {
    return this.#direct.controlFor(key).call(command, key, ...args);
  }

  /** One command to the server that has the key. */
  near(key: string, command: string, ...args: (string | number)[]): Promise<unknown> {
    return this.#direct.controlFor(key).call(command, ...args);
  }

  async start(options: Partial<RpcProcessOptions> = {}): Promise<RpcProcess> {
    const process = await startRpcProcess({ target: this.target, prefix: this.prefix, leaseMs: LEASE_MS, ...options });
    this.#processes.push(process);
    return process;
  }

  /** A process whose own network can be broken. */
  async startBehindNetwork(options: Partial<RpcProcessOptions> = {}): Promise<{ process: RpcProcess; network: Network }> {
    const network = this.add(await this.site.network());
    return { network, process: await this.start({ ...options, target: network.target }) };
  }

  /** It is stopped after the test. */
  protected add<Broken extends Pick<Network, 'stop'>>(network: Broken): Broken {
    this.#networks.push(network);
    return network;
  }

  async #clear(): Promise<void> {
    await Promise.all(this.#processes.map((process) => process.stop()));
    await Promise.all(this.#networks.splice(0).map((network) => network.stop()));
    for (const { rpc } of this.#processes.splice(0)) {
      expect(rpc.callerCounters.inFlight).toBe(0);
      expect(rpc.serverCounters.inFlight).toBe(0);
    }
  }
}
