import { emit, errorRecord, Loop } from '@millrace/core';
import { BLOCK_MS, type RedisConnection, RedisFailure, settlesWithin, type Topology } from '@millrace/redis';
import { SERVERS } from '../keys.js';
import { besideRead } from '../wire/beside-read.js';
import { BlockedRead } from './blocked-read.js';
import type { Certainty } from './certainty.js';
import type { RequestSlots } from './request-slots.js';
import type { Again, RequestStream } from './request-stream.js';
import type { ServedRequest } from './served-request.js';

export interface ReaderParts {
  readonly redis: Topology;
  readonly member: string;
  readonly certainty: Certainty;
  readonly slots: RequestSlots;
  /** They get the same connection. */
  readonly streams: readonly RequestStream<ServedRequest>[];
  /** Makes the streams again that are gone. */
  readonly reopen: () => Promise<void>;
}

/** How long a round waits for the connection, or for a beat. */
const READY_WAIT_MS = 1_000;
const UNSURE_PAUSE_MS = 20;
/** Pending entries read at once. */
const PAGE = 100;

type Entries = readonly (readonly [string, unknown])[];

/** Reads requests as there are slots for them, over a connection of its own on which it waits. */
export class RequestReader {
  readonly #parts: ReaderParts;
  readonly #connection: RedisConnection;
  readonly #blocked: BlockedRead;
  readonly #loop: Loop;
  readonly #places: readonly string[];
  /** The epoch of the connection in which the pending entries were read: a reply may have been lost before. */
  #pendingReadIn = -1;

  constructor(parts: ReaderParts) {
    const { redis, streams } = parts;
    const { key } = streams[0]!;
    this.#parts = parts;
    this.#connection = redis.blockingFor(key, 'rpc-requests');
    this.#blocked = new BlockedRead(this.#connection, redis.controlFor(key));
    this.#places = ['STREAMS', ...streams.map((stream) => stream.key), ...streams.map(() => '>')];
    this.#loop = new Loop({
      name: 'rpc-requests',
      round: (signal) => this.#round(signal),
      onError: (error, failures) => emit('loop-failed', { loop: 'rpc-requests', error: errorRecord(error), failures }),
    });
  }

  start(): void {
    this.#loop.start();
  }

  /** Reads nothing more. Requests that the last read brought are in the slots when it resolves. */
  async stop(deadlineMs: number): Promise<void> {
    const stopped = this.#loop.stop();
    await settlesWithin(this.#blocked.endUntil(stopped), deadlineMs);
    this.#connection.close();
    await stopped;
  }

  async #round(signal: AbortSignal): Promise<number> {
    const { slots, certainty } = this.#parts;
    if (!certainty.isSure) return UNSURE_PAUSE_MS;
    if (slots.free <= 0) {
      await slots.untilFreed();
      return 0;
    }
    if (!this.#connection.isReady && !(await this.#connection.whenReady(READY_WAIT_MS, signal))) return 0;
    await this.#reading(signal);
    return 0;
  }

  /** @throws RedisFailure */
  async #reading(signal: AbortSignal): Promise<void> {
    try {
      await this.#readPending();
      // No read begins while it is being stopped: what has been read is put back.
      if (!signal.aborted && this.#parts.slots.free > 0) await this.#readNew();
    } catch (error) {
      if (!(error instanceof RedisFailure) || error.kind !== 'state-lost') throw error;
      await this.#parts.reopen();
    }
  }

  async #readNew(): Promise<void> {
    const { member, slots, streams, certainty } = this.#parts;
    const origin = { takenOver: false, readIn: certainty.epoch };
    const head = ['GROUP', SERVERS, member, 'COUNT', slots.free, 'BLOCK', BLOCK_MS];
    const reply = (await this.#blocked.read('XREADGROUP', ...head, ...this.#places)) as [string, Entries][] | null;
    if (reply === null) return;
    let count = 0;
    for (const [key, entries] of reply) {
      const stream = streams.find((each) => each.key === key)!;
      for (const entry of entries) slots.receive(stream, entry, origin);
      count += entries.length;
    }
    await besideRead(count, () => slots.pump());
  }

  /** The requests that are pending for this instance and that it does not hold: their reply was lost, or they were let go of. */
  async #readPending(): Promise<void> {
    const { slots, streams } = this.#parts;
    const { connectionEpoch } = this.#connection;
    const isNew = this.#pendingReadIn !== connectionEpoch;
    for (const stream of streams) {
      const again = stream.takeAgain();
      if (again !== null || isNew) await this.#readAllPending(stream, again);
    }
    this.#pendingReadIn = connectionEpoch;
    slots.pump();
  }

  async #readAllPending(stream: RequestStream<ServedRequest>, again: Again | null): Promise<void> {
    try {
      await stream.whileReading(() => this.#readPendingOf(stream, again === 'taken'));
    } catch (error) {
      if (again !== null) stream.readAgain(again);
      throw error;
    }
  }

  async #readPendingOf(stream: RequestStream<ServedRequest>, takenOver: boolean): Promise<void> {
    const { member, slots, certainty } = this.#parts;
    const readIn = certainty.epoch;
    for (let after = '0', isLast = false; !isLast; ) {
      const read = ['GROUP', SERVERS, member, 'COUNT', PAGE, 'STREAMS', stream.key, after];
      // A take-over that is under way may give it what an instance that is gone has begun.
      const mayBeTaken = takenOver || slots.takingOver > 0;
      const reply = (await this.#connection.call('XREADGROUP', ...read)) as [string, Entries][] | null;
      const entries = reply?.[0]?.[1] ?? [];
      const origin = { takenOver: mayBeTaken || slots.takingOver > 0, readIn };
      for (const entry of entries) slots.receive(stream, entry, origin);
      after = entries.at(-1)?.[0] ?? after;
      isLast = entries.length < PAGE;
    }
  }
}
