import { afterAll, afterEach, beforeAll, beforeEach } from '@jest/globals';
import { connectServer, type StandaloneTopology } from '@millrace/redis';
import { startTestRedis, TcpProxy, type TestRedis, type TestRedisOptions, uniqueName } from '@millrace/testing';
import { type Peer, type PeerOptions, startPeer } from './peer.js';

/** A Redis server for one spec, with a prefix for each test, and peers that are stopped after it. */
export class PeerBed {
  readonly leaseMs: number;
  server!: TestRedis;
  prefix!: string;
  #direct!: StandaloneTopology;
  /** They are called after the test, the last one first. */
  readonly #ends: (() => Promise<unknown>)[] = [];

  /** Call it where `describe` is called: it registers hooks. */
  constructor(name: string, leaseMs: number, options: TestRedisOptions = {}) {
    this.leaseMs = leaseMs;
    beforeAll(async () => {
      this.server = await startTestRedis(options);
      this.#direct = await connectServer({ url: this.server.url, name: 'spec' });
    });
    beforeEach(() => void (this.prefix = uniqueName(name)));
    afterEach(async () => {
      for (const end of this.#ends.splice(0).reverse()) await end();
    });
    afterAll(async () => {
      this.#direct.close();
      await this.server.stop();
    });
  }

  /** The arguments of {@link startPeer}, for processes of their own. */
  get options(): PeerOptions {
    return { url: this.server.url, prefix: this.prefix, leaseMs: this.leaseMs };
  }

  endWith(end: () => Promise<unknown>): void {
    this.#ends.push(end);
  }

  async peer(url = this.server.url): Promise<Peer> {
    const peer = await startPeer({ ...this.options, url });
    this.endWith(peer.stop);
    return peer;
  }

  /** A peer whose own network can be broken. */
  async peerBehindProxy(): Promise<Peer & { readonly proxy: TcpProxy }> {
    const proxy = await TcpProxy.start(this.server.url);
    this.endWith(() => proxy.stop());
    return { ...(await this.peer(proxy.url)), proxy };
  }

  /** One command to Redis, past the tested code. */
  command(name: string, ...args: (string | number)[]): Promise<unknown> {
    return this.#direct.control.call(name, ...args);
  }
}
