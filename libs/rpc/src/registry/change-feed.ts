import { emit, errorRecord, Loop } from '@millrace/core';
import type { RedisConnection, Topology } from '@millrace/redis';

/** How often the connection is asked for an answer: a dead one is noticed by nothing else. */
const ASK_EVERY_MS = 3_000;
const READY_WAIT_MS = 1_000;
/** How soon it tries again to subscribe when the node of the channel in a Cluster is away. */
const MISSED_AGAIN_MS = 1_000;

export interface FeedListener {
  readonly heard: (text: string) => void;
  /** Changes are heard from now on; earlier ones may have been missed. */
  readonly opened: () => void;
  /** Changes are missed until `opened`, perhaps since the last answer, at that time by the monotonic clock. */
  readonly lost: (answeredAtMs: number) => void;
}

/** Hears the changes of the registry over a connection of its own. */
export class ChangeFeed {
  readonly #redis: Topology;
  readonly #channel: string;
  readonly #listener: FeedListener;
  readonly #loop: Loop;
  #connection: RedisConnection | null = null;
  #isSubscribed = false;
  #isOpen = false;
  #answeredAtMs = Number.NEGATIVE_INFINITY;

  constructor(redis: Topology, channel: string, listener: FeedListener) {
    this.#redis = redis;
    this.#channel = channel;
    this.#listener = listener;
    this.#loop = new Loop({
      name: 'registry-changes',
      round: (signal) => this.#round(signal),
      onError: (error, failures) => {
        this.#lost();
        emit('loop-failed', { loop: 'registry-changes', error: errorRecord(error), failures });
      },
    });
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** May be called again. */
  start(): void {
    this.#connection ??= this.#connected();
    this.#loop.start();
  }

  async stop(): Promise<void> {
    const stopped = this.#loop.stop();
    this.#connection?.close();
    await stopped;
  }

  #connected(): RedisConnection {
    const connection = this.#redis.listening('registry');
    connection.watch({
      ready: () => this.#loop.wake(),
      lost: () => this.#lost(),
      message: (_channel, text) => this.#listener.heard(text),
    });
    return connection;
  }

  #lost(): void {
    this.#isSubscribed = false;
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#listener.lost(this.#answeredAtMs);
  }

  async #round(signal: AbortSignal): Promise<number> {
    const connection = this.#connection!;
    if (!(await connection.whenReady(READY_WAIT_MS, signal))) return 0;
    const { connectionEpoch } = connection;
    this.#isSubscribed ||= (await connection.subscribe([this.#channel])).length > 0;
    if (!this.#isSubscribed) return MISSED_AGAIN_MS;
    const sentAtMs = performance.now();
    await connection.call('PING');
    if (connection.connectionEpoch !== connectionEpoch) {
      this.#isSubscribed = false;
      return 0;
    }
    this.#answeredAtMs = sentAtMs;
    this.#opened();
    return ASK_EVERY_MS;
  }

  #opened(): void {
    if (this.#isOpen) return;
    this.#isOpen = true;
    this.#listener.opened();
  }
}
