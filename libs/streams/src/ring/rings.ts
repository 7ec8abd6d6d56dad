import { emit, errorRecord, Loop } from '@millrace/core';
import type { RedisConnection, Topology } from '@millrace/redis';

/** How often the connection is asked for an answer: a dead one is noticed by nothing else. */
const ASK_EVERY_MS = 3_000;
/** How soon it tries again to subscribe to channels whose node in a Cluster is away. */
const MISSED_AGAIN_MS = 1_000;
const READY_WAIT_MS = 1_000;
/** Most channels in one command. */
const PAGE = 512;

export interface RingListener {
  readonly heard: (channel: string, text: string) => void;
  /** Rings are heard from now on; earlier ones may have been missed. */
  readonly opened: () => void;
  /** Rings of some of the channels are missed from now on, until `opened`. */
  readonly lost: () => void;
}

/** Hears the rings for all listeners of this process, over one connection, which is made for the first listener. */
export class Rings {
  readonly #redis: Topology;
  readonly #loop: Loop;
  readonly #all = new Set<Ear>();
  /** Channels without ears, which may still be subscribed to. */
  readonly #dropped = new Set<string>();
  /** By channel. */
  readonly #ears = new Map<string, Set<Ear>>();
  #connection: RedisConnection | null = null;
  /** Channels that are heard now. */
  readonly #subscribed = new Set<string>();
  /** How often channels were lost. */
  #losses = 0;

  constructor(redis: Topology) {
    this.#redis = redis;
    this.#loop = new Loop({
      name: 'rings',
      round: (signal) => this.#round(signal),
      onError: (error, failures) => {
        this.#lost();
        emit('loop-failed', { loop: 'rings', error: errorRecord(error), failures });
      },
    });
  }

  /** @throws MillraceError CLOSED when the connections are closed */
  listen(channels: readonly string[], listener: RingListener): Ear {
    this.#connection ??= this.#connected();
    const ear = new Ear(channels, listener, () => this.#close(ear));
    this.#all.add(ear);
    for (const channel of channels) this.#earsOf(channel).add(ear);
    this.#loop.start();
    this.#loop.wake();
    return ear;
  }

  async stop(): Promise<void> {
    const stopped = this.#loop.stop();
    this.#connection?.close();
    await stopped;
  }

  #connected(): RedisConnection {
    const connection = this.#redis.listening('rings');
    connection.watch({
      ready: () => this.#loop.wake(),
      lost: (channels) => this.#lost(channels),
      message: (channel, text) => {
        for (const ear of this.#ears.get(channel) ?? []) ear.listener.heard(channel, text);
      },
    });
    return connection;
  }

  #earsOf(channel: string): Set<Ear> {
    const ears = this.#ears.get(channel) ?? new Set();
    this.#ears.set(channel, ears);
    return ears;
  }

  #close(ear: Ear): void {
    this.#all.delete(ear);
    for (const channel of ear.channels) {
      const ears = this.#ears.get(channel);
      ears?.delete(ear);
      if (ears?.size !== 0) continue;
      this.#ears.delete(channel);
      this.#dropped.add(channel);
    }
    this.#loop.wake();
  }

  #lost(channels: readonly string[] = [...this.#subscribed]): void {
    this.#losses += 1;
    for (const channel of channels) {
      this.#subscribed.delete(channel);
      for (const ear of this.#ears.get(channel) ?? []) ear.miss();
    }
  }

  async #round(signal: AbortSignal): Promise<number> {
    const connection = this.#connection!;
    if (!(await connection.whenReady(READY_WAIT_MS, signal))) return 0;
    const losses = this.#losses;
    const isWhole = await this.#subscribe(connection);
    await this.#unsubscribe(connection);
    await connection.call('PING');
    // Channels that were lost meanwhile are not heard, and which ones is not known here.
    if (this.#losses !== losses) return 0;
    for (const ear of this.#all) ear.open(this.#subscribed);
    return isWhole ? ASK_EVERY_MS : MISSED_AGAIN_MS;
  }

  /** @returns whether all channels are heard */
  async #subscribe(connection: RedisConnection): Promise<boolean> {
    const losses = this.#losses;
    let isWhole = true;
    for (const page of pages([...this.#ears.keys()].filter((channel) => !this.#subscribed.has(channel)))) {
      const heard = await connection.subscribe(page);
      if (this.#losses !== losses) return false;
      for (const channel of heard) this.#subscribed.add(channel);
      isWhole &&= heard.length === page.length;
    }
    return isWhole;
  }

  async #unsubscribe(connection: RedisConnection): Promise<void> {
    for (const page of pages([...this.#dropped].filter((channel) => !this.#ears.has(channel)))) {
      for (const channel of page) this.#subscribed.delete(channel);
      await connection.unsubscribe(page);
      for (const channel of page) this.#dropped.delete(channel);
    }
  }
}

/** One listener of some channels, until it is closed. */
export class Ear {
  readonly channels: readonly string[];
  readonly listener: RingListener;
  readonly #close: () => void;
  #isOpen = false;

  constructor(channels: readonly string[], listener: RingListener, close: () => void) {
    this.channels = channels;
    this.listener = listener;
    this.#close = close;
  }

  /** Whether every ring is heard. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  open(subscribed: ReadonlySet<string>): void {
    if (this.#isOpen || !this.channels.every((channel) => subscribed.has(channel))) return;
    this.#isOpen = true;
    this.listener.opened();
  }

  miss(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.listener.lost();
  }

  close(): void {
    this.#isOpen = false;
    this.#close();
  }
}

function pages<T>(items: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(items.length / PAGE) }, (_, page) => items.slice(page * PAGE, (page + 1) * PAGE));
}
