import type { RedisConnection } from '@millrace/redis';
import type { ReaderPool } from './reader-pool.js';

/** Over which connection a subscription reads: one that it waits on inside Redis while it is busy, else the shared one. */
export class ReadWay {
  readonly #shared: RedisConnection;
  readonly #pool: ReaderPool;
  #reader: RedisConnection | null = null;
  /** Makes the losses go on where those of another reader ended. */
  #lossesBefore = 0;

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

  /** Whether its own connection was lost, and is being made again. */
  get isBroken(): boolean {
    return this.#reader?.isReady === false;
  }

  /** How often the connections that bring messages were lost. */
  get losses(): number {
    return this.#lossesBefore + this.#shared.losses + (this.#reader?.losses ?? 0);
  }

  /**
   * @param onReady called when it may be worth to try again
   * @returns false when there is no connection at the moment that may block
   */
  take(onReady: () => void): boolean {
    const reader = this.#pool.take(onReady);
    if (!reader) return false;
    this.#lossesBefore -= reader.losses;
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
    this.#lossesBefore += reader?.losses ?? 0;
    this.#reader = null;
    return reader;
  }
}
