import { setMaxListeners } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { emit, errorRecord } from '@millrace/core';

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1_000;

/**
 * Records again what a ledger has not taken. While that is missing, the entry is in progress for everybody else, and whoever
 * repeats the request waits in vain. It tries until the ledger has taken it, or until it is abandoned.
 */
export class LateRecords {
  readonly #abandoned = new AbortController();
  readonly #recording = new Set<Promise<void>>();
  readonly #loop: string;

  /** @param loop names it in the events `loop-failed` */
  constructor(loop: string) {
    this.#loop = loop;
    // Any number of records may wait for Redis.
    setMaxListeners(0, this.#abandoned.signal);
  }

  /** Resolves when it is recorded, or when the first try has failed: then it is tried on. */
  async recorded(record: () => Promise<unknown>): Promise<void> {
    try {
      await record();
    } catch (error) {
      this.#failed(error);
      this.add(record);
    }
  }

  /** @param record is called until it does not reject */
  add(record: () => Promise<unknown>): void {
    const recording = this.#insist(record).finally(() => this.#recording.delete(recording));
    this.#recording.add(recording);
  }

  /** Resolves when all that was added is recorded, or abandoned. */
  async flushed(): Promise<void> {
    while (this.#recording.size > 0) await Promise.all(this.#recording);
  }

  abandon(): void {
    this.#abandoned.abort();
  }

  async #insist(record: () => Promise<unknown>): Promise<void> {
    const { signal } = this.#abandoned;
    for (let pauseMs = FIRST_PAUSE_MS; !signal.aborted; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      await setTimeout(pauseMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      try {
        await record();
        return;
      } catch (error) {
        this.#failed(error);
      }
    }
  }

  #failed(error: unknown): void {
    emit('loop-failed', { loop: this.#loop, error: errorRecord(error), failures: 1 });
  }
}
