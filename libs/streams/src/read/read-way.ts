import type { RedisConnection } from '@millrace/redis';
import type { ReaderPool } from './reader-pool.js';

/** Over which connection a subscription reads: one that it waits on inside Redis while it is busy, else the shared one. */
export class ReadWay {
  readonly #shared: RedisConnection;
  readonly #pool: ReaderPool;
  #reader: RedisConnection | null = null;
  /** Makes XX another reader ended. */
  #epochBefore = 0;

  constructor(shared: RedisConnection, pool: ReaderPool) {
    this.#shared = shared;
    this.#pool = pool;
  }

  get connection(): RedisConnection {
    return this.#reader ?? this.#shared;
  }

  /** Whether a read may wait inside Redis. */
  get mayBlock(): boolean {
    return this.#reader !== null;
  }

  /** Grows when a connection is lost that brings messages. */
  get connectionEpoch(): number {
    return this.#epochBefore + this.#shared.connectionEpoch + (this.#reader?.connectionEpoch ?? 0);
  }

  /** @returns false when others have all connections that may block */
  take(): boolean {
    const reader = this.#pool.take();
    if (!reader) return false;
    this.#epochBefore -= reader.connectionEpoch;
    this.#reader = reader;
    return true;
  }

  /** No read is under way. */
  giveBack(): void {
    const reader = this.#leave();
    if (reader) this.#pool.giveBack(reader);
  }

  /** A read may be under way still. */
  abandon(): void {
    const reader = this.#leave();
    if (reader) this.#pool.discard(reader);
  }

  #leave(): RedisConnection | null {
    const reader = this.#reader;
    this.#epochBefore += reader?.connectionEpoch ?? 0;
    this.#reader = null;
    return reader;
  }
}
