import { TcpProxy } from '@millrace/testing';
import type { MillraceSettings, Spec } from '../contenders/contender.js';
import { Pair } from '../match/pair.js';
import { startRedis } from '../servers/own-redis.js';
import type { BenchServer } from '../servers/server.js';
import { SideProcess } from '../sides/side-process.js';
import type { Stage } from '../stage.js';
import { Observer } from './observer.js';
import { RedisProbe } from './redis-probe.js';

const BYTES = 200;

/**
 * A Redis of its own for one measurement, and the processes of Millrace on it; all end with {@link inScene}, the processes
 * before what they are connected to.
 */
export class Scene {
  readonly server: BenchServer;
  readonly probe: RedisProbe;
  readonly #stage: Stage;
  readonly #sides: { close(): Promise<void> }[] = [];
  readonly #proxies: TcpProxy[] = [];

  constructor(server: BenchServer, stage: Stage) {
    this.server = server;
    this.#stage = stage;
    this.probe = new RedisProbe(server, stage);
  }

  async pair(settings: MillraceSettings = {}): Promise<Pair> {
    return this.#kept(await Pair.open(spec(settings), this.server, this.#stage.signal));
  }

  /** @param url of Redis, if another way leads there */
  async producer(settings: MillraceSettings = {}, url = this.server.url): Promise<SideProcess> {
    return this.#kept(await SideProcess.open(spec(settings), { role: 'producer', url, signal: this.#stage.signal }));
  }

  /** @param armed messages to count from the first on */
  async consumer(settings: MillraceSettings = {}, armed = 0, url = this.server.url): Promise<SideProcess> {
    return this.#kept(await SideProcess.open(spec(settings), { role: 'consumer', url, armed, signal: this.#stage.signal }));
  }

  /** @returns the URL of another way to Redis, on which everything takes so much longer, each way */
  async wayOf(delayMs: number): Promise<string> {
    const proxy = await TcpProxy.start(this.server.url);
    this.#proxies.push(proxy);
    proxy.delay(delayMs);
    return proxy.url;
  }

  async observer(): Promise<Observer> {
    return this.#kept(await Observer.open(this.server.url, this.#stage));
  }

  async close(): Promise<void> {
    this.probe.close();
    await Promise.allSettled(this.#sides.map((side) => side.close()));
    await Promise.all(this.#proxies.map((proxy) => proxy.stop()));
    await this.server.stop();
  }

  #kept<T extends { close(): Promise<void> }>(side: T): T {
    this.#sides.push(side);
    return side;
  }
}

export async function inScene<T>(stage: Stage, work: (scene: Scene) => Promise<T>): Promise<T> {
  const server = await startRedis();
  if (!server) throw new Error('No redis-server or valkey-server is on the PATH.');
  const scene = new Scene(server, stage);
  try {
    return await work(scene);
  } finally {
    await scene.close();
  }
}

function spec(millrace: MillraceSettings): Spec {
  return { name: 'millrace', kind: 'millrace', bytes: BYTES, millrace };
}
