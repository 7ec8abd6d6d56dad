import { setTimeout } from 'node:timers/promises';
import { emit, errorRecord } from '@millrace/core';
import { type RedisConnection, RedisFailure } from '@millrace/redis';
import { boundedBatches } from '../wire/bounded-batches.js';

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1_000;

/** A field on its way to an inbox. */
export interface OutgoingField {
  readonly field: string;
  readonly value: string;
  /** The inbox has it; it may have it twice. */
  readonly written: () => void;
}

export interface OutletParts {
  readonly key: string;
  readonly redis: RedisConnection;
  /** The inbox is not there: what was on its way, and perhaps more, is lost. */
  readonly lost: () => void;
}

/**
 * Writes the items of all streams to one inbox, in order. One write is under way at a time, and what comes meanwhile goes
 * together behind it. A write is tried until Redis has taken it, or until it is closed.
 */
export class ItemOutlet {
  readonly #parts: OutletParts;
  readonly #closed = new AbortController();
  #waiting: OutgoingField[] = [];
  #isWriting = false;

  constructor(parts: OutletParts) {
    this.#parts = parts;
  }

  add(field: OutgoingField): void {
    this.#waiting.push(field);
    if (this.#isWriting) return;
    this.#isWriting = true;
    process.nextTick(() => void this.#writeAll());
  }

  close(): void {
    this.#closed.abort();
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      for (const batch of boundedBatches(this.#waiting.splice(0), sizeOf)) await this.#write(batch);
    }
    this.#isWriting = false;
  }

  /** Never rejects. */
  async #write(batch: readonly OutgoingField[]): Promise<void> {
    const { key, redis, lost } = this.#parts;
    const { signal } = this.#closed;
    const fields = batch.flatMap(({ field, value }) => [field, value]);
    for (let pauseMs = FIRST_PAUSE_MS; !signal.aborted; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        const id = await redis.call('XADD', key, 'NOMKSTREAM', '*', ...fields).catch(refusedForever);
        if (id === null) lost();
        else batch.forEach(({ written }) => written());
        return;
      } catch (thrown) {
        report(thrown);
        await redis.whenReady(pauseMs, signal);
        await setTimeout(pauseMs, undefined, { signal }).catch(() => undefined);
      }
    }
  }
}

/** A forged address may lead to a key of another type: nothing is ever added there. @returns null */
function refusedForever(thrown: unknown): null {
  if (!(thrown instanceof RedisFailure) || thrown.kind !== 'fatal') throw thrown;
  report(thrown);
  return null;
}

function report(thrown: unknown): void {
  emit('loop-failed', { loop: 'rpc-items', error: errorRecord(thrown), failures: 1 });
}

function sizeOf({ value }: OutgoingField): number {
  return value.length;
}
