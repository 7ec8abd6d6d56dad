import { emit, errorRecord, Loop } from '@millrace/core';
import { BLOCK_MS, type RedisConnection, redisFailure } from '@millrace/redis';
import type { Dispatcher } from './dispatcher.js';
import type { GroupPartition, GroupStream } from './group-partition.js';
import type { HeldEntries } from './held-entries.js';
import type { Moment } from './held-entry.js';
import type { Intake } from './intake.js';
import { Portions } from './portions.js';

const READY_WAIT_MS = 1_000;
const UNBLOCK_EVERY_MS = 50;

export interface FetcherParts {
  readonly reader: RedisConnection;
  readonly control: RedisConnection;
  readonly member: string;
  readonly partitions: readonly GroupPartition[];
  /** Makes again what Redis has lost of a partition. */
  readonly recover: (partition: GroupPartition) => Promise<void>;
  /** Makes sure of what is held, and puts back what came in replies that were lost. */
  readonly rejoin: () => Promise<void>;
  readonly dispatcher: Dispatcher;
  readonly held: HeldEntries;
  readonly intake: Intake;
}

/** `[[stream, [[id, [field, value, ...]], ...]], ...]`, or null when nothing came. */
type ReadReply = [string, [string, string[]][]][] | null;

/**
 * Reads messages, as many as there are free slots. Any failure of a read leaves open whether Redis gave us something, so the
 * next round looks for that first.
 */
export class Fetcher {
  readonly #parts: FetcherParts;
  readonly #streams: readonly GroupStream[];
  readonly #byKey: ReadonlyMap<string, GroupStream>;
  readonly #portions: Portions;
  readonly #loop: Loop;
  #clientId: string | null = null;
  /** By its losses the connection whose id was asked for. */
  #clientOf: number | null = null;
  /** By its losses the connection on which was read last. */
  #readOn = 0;
  #reading = false;
  #fetching: Promise<void> = Promise.resolve();
  #problem: string | null = null;

  constructor(parts: FetcherParts) {
    this.#parts = parts;
    this.#streams = parts.partitions.flatMap(({ streams }) => streams);
    this.#portions = new Portions(this.#streams);
    this.#byKey = new Map(this.#streams.map((stream) => [stream.key, stream]));
    this.#loop = new Loop({ name: 'fetch', round: (signal) => this.#round(signal), onError: (error, failures) => this.#failed(error, failures) });
  }

  start(): void {
    this.#loop.start();
  }

  /** A stream has messages again for which this member had no slot. */
  gaveBackTo(stream: GroupStream): void {
    this.#portions.gaveBackTo(stream);
  }

  /** Resolves when no read is under way any more and everything that came is taken in; for good. */
  async stop(): Promise<void> {
    await this.#unblockUntil(this.#loop.stop());
  }

  /** Resolves when no read is under way and everything that came is taken in; none begins while there is no free slot. */
  async rest(): Promise<void> {
    await this.#unblockUntil(this.#fetching);
  }

  /** Why nothing is read, or null while all is well. */
  problem(): string | null {
    return this.#problem;
  }

  /** From now on there is a problem, until something was read. */
  lostSight(why: string): void {
    this.#problem = why;
  }

  async #round(signal: AbortSignal): Promise<number> {
    await this.#parts.dispatcher.whenFree(signal);
    if (signal.aborted) return 0;
    const filling = this.#fill(signal);
    this.#fetching = filling.then(nothing, nothing);
    return filling;
  }

  /** Once round. */
  async #fill(signal: AbortSignal): Promise<number> {
    const { dispatcher, reader, rejoin } = this.#parts;
    if (!(await reader.whenReady(READY_WAIT_MS, signal))) {
      if (!signal.aborted) this.lostSight('there is no connection to Redis');
      return 0;
    }
    const { losses } = reader;
    if (losses !== this.#readOn) this.lostSight('the connection to Redis was lost');
    if (this.#problem !== null) await rejoin();
    this.#readOn = losses;
    if (dispatcher.freeSlots > 0 && !signal.aborted) await this.#fetch(dispatcher.freeSlots);
    this.#problem = null;
    return 0;
  }

  /**
   * COUNT is per stream: when there is no room for an entry of each, and more than a few have something, each is asked in turn,
   * and waiting for all comes last.
   */
  async #fetch(free: number): Promise<void> {
    const [all, portions] = [this.#streams, this.#portions];
    const ofEach = portions.ofEach(free);
    if (ofEach > 0 || portions.areCalm) {
      portions.broughtAll(await this.#read(all, Math.max(1, ofEach), true), free);
      return;
    }
    let left = free;
    for (const stream of portions.inTurn()) {
      const messages = await this.#read([stream], portions.of(stream, left), false);
      if (messages === 0) portions.wasEmpty(stream);
      left -= messages;
      if (left <= 0) return;
    }
    if (left < free) return;
    portions.wereEmpty();
    portions.broughtAll(await this.#read(all, 1, true), free);
  }

  /** @returns how many messages came */
  async #read(streams: readonly GroupStream[], count: number, wait: boolean): Promise<number> {
    const { reader, member, partitions } = this.#parts;
    const block = wait ? ['BLOCK', Math.min(BLOCK_MS, this.#parts.dispatcher.longestWaitMs)] : [];
    const ids = streams.map(() => '>');
    const readAt = this.#parts.held.moment();
    if (wait) this.#learnClientId();
    this.#reading = wait;
    try {
      const head = ['GROUP', partitions[0]!.group, member, 'COUNT', count, ...block, 'STREAMS'];
      return await this.#take((await reader.call('XREADGROUP', ...head, ...streams.map(({ key }) => key), ...ids)) as ReadReply, readAt);
    } finally {
      this.#reading = false;
    }
  }

  /** Asked ahead of the first read of each connection. */
  #learnClientId(): void {
    const { losses } = this.#parts.reader;
    if (this.#clientOf === losses) return;
    this.#clientOf = losses;
    this.#clientId = null;
    const learnt = (id: unknown): void => void (this.#clientId = String(id));
    // When it fails, so does the read behind it, and that is told.
    this.#parts.reader.call('CLIENT', 'ID').then(learnt, () => void (this.#clientOf = null));
  }

  async #take(reply: ReadReply, readAt: Moment): Promise<number> {
    let count = 0;
    for (const [key, entries] of reply ?? []) {
      const stream = this.#byKey.get(key)!;
      const reads = entries.map(([id, fields]) => ({ id, fields }));
      const messages = await this.#parts.intake.take(stream, reads, readAt);
      this.#portions.brought(stream, entries.length, messages);
      count += messages;
    }
    return count;
  }

  #failed(error: Error, failures: number): void {
    const { topic, group } = this.#parts.partitions[0]!;
    emit('loop-failed', { topic, group, loop: 'fetch', error: errorRecord(error), failures });
    if (redisFailure(error, 'fetch').kind !== 'state-lost') return this.lostSight(error.message);
    // Why it cannot be made again tells more than that it is gone.
    this.#problem ??= error.message;
    void this.#recover();
  }

  async #recover(): Promise<void> {
    const { partitions, recover } = this.#parts;
    const made = await Promise.allSettled(partitions.map((partition) => recover(partition)));
    for (const result of made) if (result.status === 'rejected') this.#problem = (result.reason as Error).message;
  }

  async #unblockUntil(done: Promise<void>): Promise<void> {
    const unblocking = setInterval(() => void this.#unblock(), UNBLOCK_EVERY_MS);
    await this.#unblock();
    await done;
    clearInterval(unblocking);
  }

  /** Ends a blocking read without losing what it may bring: closing the connection could lose it. */
  async #unblock(): Promise<void> {
    if (!this.#reading || this.#clientId === null) return;
    try {
      await this.#parts.control.call('CLIENT', 'UNBLOCK', this.#clientId);
    } catch (error) {
      // Without the permission, or without Redis, the read ends by itself when its time is up.
      this.#problem = redisFailure(error, 'CLIENT UNBLOCK').message;
    }
  }
}

function nothing(): void {
  // How a round ended is the loop's business.
}
