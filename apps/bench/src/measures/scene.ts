import type { MillraceSettings, Spec } from '../contenders/contender.js';
import { Pair } from '../match/pair.js';
import { startRedis } from '../servers/own-redis.js';
import type { BenchServer } from '../servers/server.js';
import { SideProcess } from '../sides/side-process.js';
import { Observer } from './observer.js';
import { RedisProbe } from './redis-probe.js';

const BYTES = 200;

/** A Redis of its own for one measurement, and the processes of Millrace on it; all end with {@link inScene}. */
export class Scene {
  readonly server: BenchServer;
  readonly probe: RedisProbe;
  readonly #sides: { close(): Promise<void> }[] = [];

  constructor(server: BenchServer) {
    this.server = server;
    this.probe = new RedisProbe(server);
  }

  async pair(settings: MillraceSettings = {}): Promise<Pair> {
    return this.#kept(await Pair.open(spec(settings), this.server));
  }

  /** @param url of Redis, if another way leads there */
  async producer(settings: MillraceSettings = {}, url = this.server.url): Promise<SideProcess> {
    return this.#kept(await SideProcess.open('producer', url, spec(settings)));
  }

  /** @param armed messages to count from the first on */
  async consumer(settings: MillraceSettings = {}, armed = 0, url = this.server.url): Promise<SideProcess> {
    return this.#kept(await SideProcess.open('consumer', url, { ...spec(settings), armed }));
  }

  async observer(): Promise<Observer> {
    return this.#kept(await Observer.open(this.server.url));
  }

  async close(): Promise<void> {
    this.probe.close();
    await Promise.all(this.#sides.map((side) => side.close()));
    await this.server.stop();
  }

  #kept<T extends { close(): Promise<void> }>(side: T): T {
    this.#sides.push(side);
    return side;
  }
}

export async function inScene<T>(work: (scene: Scene) => Promise<T>): Promise<T> {
  const server = await startRedis();
  if (!server) throw new Error('No redis-server or valkey-server is on the PATH.');
  const scene = new Scene(server);
  try {
    return await work(scene);
  } finally {
    await scene.close();
  }
}

function spec(millrace: MillraceSettings): Spec {
  return { name: 'millrace', kind: 'millrace', bytes: BYTES, millrace };
}
