import type { RedisConnection, Topology } from '@millrace/redis';
import type { GroupPartition, GroupStream } from '../consume/group-partition.js';
import type { ReaderPool } from './reader-pool.js';

/** The connections on which a subscription reads: one for reads that wait inside Redis while it is busy, else the shared ones. */
export class ReadWay {
  readonly #shared: ReadonlyMap<GroupPartition, RedisConnection>;
  /** Whether one command may read all streams. */
  readonly #isOne: boolean;
  readonly #pool: ReaderPool;
  #reader: RedisConnection | null = null;
  /** Added to the epoch of the present reader, so that the sum goes on where that of another one ended. */
  #epochBefore = 0;

  constructor(redis: Topology, places: readonly GroupPartition[], pool: ReaderPool) {
    this.#shared = new Map(places.map((place) => [place, redis.publishFor(place.keys.log)]));
    this.#isOne = new Set(this.#shared.values()).size === 1;
    this.#pool = pool;
  }

  connectionTo(stream: GroupStream): RedisConnection {
    return this.#reader ?? this.sharedTo(stream);
  }

  /** The shared connection that leads to a stream. */
  sharedTo({ partition }: GroupStream): RedisConnection {
    return this.#shared.get(partition)!;
  }

  isReady(stream: GroupStream): boolean {
    return this.connectionTo(stream).isReady;
  }

  /** Resolves true when the stream can be read, false when the signal aborted or the time passed before. */
  whenReady(stream: GroupStream, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    return this.connectionTo(stream).whenReady(timeoutMs, signal);
  }

  /** Whether a read may wait inside Redis. */
  get mayBlock(): boolean {
    return this.#reader !== null;
  }

  /** Grows when a connection is lost over which messages of the stream come. */
  epochOf(stream: GroupStream): number {
    return this.#epochBefore + (this.#reader?.connectionEpoch ?? 0) + this.sharedTo(stream).connectionEpoch;
  }

  /** Whether its own connection was lost and is being made again. */
  get isBroken(): boolean {
    return this.#reader?.isReady === false;
  }

  /**
   * @param onReady called when another try may succeed
   * @returns false when no connection that may block is free, or when one command cannot wait for all streams
   */
  take(onReady: () => void): boolean {
    const reader = this.#isOne ? this.#pool.take(this.#key, onReady) : null;
    if (!reader) return false;
    this.#epochBefore -= reader.connectionEpoch;
    this.#reader = reader;
    return true;
  }

  /** Gives its own connection back; no read may be under way. */
  giveBack(): void {
    const reader = this.#leave();
    if (reader) this.#pool.giveBack(reader, this.#key);
  }

  /** Discards its own connection, on which a read may still be under way. */
  abandon(): void {
    const reader = this.#leave();
    if (reader) this.#pool.discard(reader);
  }

  get #key(): string {
    const [first] = this.#shared.keys();
    return first!.keys.log;
  }

  #leave(): RedisConnection | null {
    const reader = this.#reader;
    this.#epochBefore += reader?.connectionEpoch ?? 0;
    this.#reader = null;
    return reader;
  }
}
