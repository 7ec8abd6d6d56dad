import { emit, errorRecord, Loop } from '@millrace/core';
import type { RedisConnection, Topology } from '@millrace/redis';

/** How often the connection is asked for an answer: a dead one is noticed by nothing else. */
const ASK_EVERY_MS = 3_000;
const READY_WAIT_MS = 1_000;

export type CallerListener = (text: string) => void;

/**
 * Hears callers that wait no longer, or take more items of a stream, for all services of this process, over one connection.
 * Some messages may be missed.
 */
export class Cancellations {
  readonly #redis: Topology;
  readonly #loop: Loop;
  readonly #listeners = new Map<string, Set<CallerListener>>();
  #connection: RedisConnection | null = null;
  /** Channels that the present connection has subscribed to. */
  #subscribed = new Set<string>();

  constructor(redis: Topology) {
    this.#redis = redis;
    this.#loop = new Loop({
      name: 'rpc-cancellations',
      round: (signal) => this.#round(signal),
      onError: (error, failures) => emit('loop-failed', { loop: 'rpc-cancellations', error: errorRecord(error), failures }),
    });
  }

  /** @returns a function that stops listening */
  listen(channel: string, listener: CallerListener): () => void {
    this.#connection ??= this.#connected();
    const listeners = this.#listeners.get(channel) ?? new Set();
    this.#listeners.set(channel, listeners.add(listener));
    this.#loop.start();
    this.#loop.wake();
    return () => this.#silence(channel, listener);
  }

  /** The subscription stays: nobody publishes there. */
  #silence(channel: string, listener: CallerListener): void {
    const listeners = this.#listeners.get(channel);
    if (listeners?.delete(listener) && listeners.size === 0) this.#listeners.delete(channel);
  }

  async stop(): Promise<void> {
    const stopped = this.#loop.stop();
    this.#connection?.close();
    await stopped;
  }

  #connected(): RedisConnection {
    const connection = this.#redis.listening('rpc-cancellations');
    connection.watch({
      ready: () => this.#loop.wake(),
      lost: (channels = [...this.#subscribed]) => void (this.#subscribed = without(this.#subscribed, channels)),
      message: (channel, text) => this.#heard(channel, text),
    });
    return connection;
  }

  async #round(signal: AbortSignal): Promise<number> {
    const connection = this.#connection!;
    if (!(await connection.whenReady(READY_WAIT_MS, signal))) return 0;
    // One that is lost while the reply comes has its set replaced: what is noted in the old one counts no more.
    const subscribed = this.#subscribed;
    const missing = [...this.#listeners.keys()].filter((channel) => !subscribed.has(channel));
    for (const channel of missing.length > 0 ? await connection.subscribe(missing) : []) subscribed.add(channel);
    await connection.call('PING');
    return ASK_EVERY_MS;
  }

  #heard(channel: string, text: string): void {
    for (const listener of this.#listeners.get(channel) ?? []) listener(text);
  }
}

function without(channels: ReadonlySet<string>, lost: readonly string[]): Set<string> {
  const left = new Set(channels);
  for (const channel of lost) left.delete(channel);
  return left;
}
