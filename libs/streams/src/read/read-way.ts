import type { RedisConnection, Topology } from '@millrace/redis';
import type { GroupStream } from '../consume/group-partition.js';
import { pagesOf } from '../log/pages.js';
import type { ReaderPool } from './reader-pool.js';

/** The connections on which a subscription reads: one for reads that wait inside Redis while it is busy, else the shared ones. */
export class ReadWay {
  readonly #shared: ReadonlyMap<GroupStream, RedisConnection>;
  /** The shared connections, each once. */
  readonly #all: readonly RedisConnection[];
  readonly #pool: ReaderPool;
  #reader: RedisConnection | null = null;
  /** Added to the epoch of the present reader, so that the sum goes on where that of another one ended. */
  #epochBefore = 0;

  constructor(redis: Topology, streams: readonly GroupStream[], pool: ReaderPool) {
    this.#shared = new Map(streams.map((stream) => [stream, redis.publishFor(stream.key)]));
    this.#all = [...new Set(this.#shared.values())];
    this.#pool = pool;
  }

  connectionTo(stream: GroupStream): RedisConnection {
    return this.#reader ?? this.#shared.get(stream)!;
  }

  /** Groups the streams that one command may read together. */
  together(streams: readonly GroupStream[]): (readonly GroupStream[])[] {
    if (this.#all.length === 1) return [streams];
    return pagesOf(streams, streams.length, (stream) => this.#shared.get(stream)!).map(({ partitions }) => partitions);
  }

  /** Resolves true when all streams can be read, false when the signal aborted or the time passed before. */
  async whenReady(timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    const connections = this.#reader ? [this.#reader] : this.#all;
    return (await Promise.all(connections.map((each) => each.whenReady(timeoutMs, signal)))).every(Boolean);
  }

  /** Whether a read may wait inside Redis. */
  get mayBlock(): boolean {
    return this.#reader !== null;
  }

  /** Grows when a connection is lost over which messages come. */
  get connectionEpoch(): number {
    let epoch = this.#epochBefore + (this.#reader?.connectionEpoch ?? 0);
    for (const connection of this.#all) epoch += connection.connectionEpoch;
    return epoch;
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
    const reader = this.#all.length === 1 ? this.#pool.take(this.#key, onReady) : null;
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
    return first!.key;
  }

  #leave(): RedisConnection | null {
    const reader = this.#reader;
    this.#epochBefore += reader?.connectionEpoch ?? 0;
    this.#reader = null;
    return reader;
  }
}
