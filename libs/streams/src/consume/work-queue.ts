import type { BatchRule } from '@millrace/core';
import type { LoneSlot } from './lone-slot.js';
import type { Work } from './work.js';

interface Waiting {
  readonly work: Work;
  /** By the monotonic clock, in milliseconds. */
  readonly since: number;
}

export interface WorkQueueParts {
  readonly rule: BatchRule;
  readonly loneSlot: LoneSlot;
  /** Called when something may be taken that could not be before. */
  readonly onReady: () => void;
}

/** What was fetched and waits for a handler, in the batches in which it will be handed over. */
export class WorkQueue {
  readonly #parts: WorkQueueParts;
  readonly #together: Waiting[] = [];
  readonly #notices: Work[] = [];
  /** Their process vanished: each is handled alone, as it may be the one that takes processes down. */
  readonly #suspects: Work[] = [];
  /** The one that was taken and has not ended. */
  #suspect: Work | undefined;
  /** Since when suspects wait for one to end, by the monotonic clock, in milliseconds; null while none waits. */
  #heldUpSince: number | null = null;

  constructor(parts: WorkQueueParts) {
    this.#parts = parts;
  }

  get length(): number {
    return this.#together.length + this.#notices.length + this.#suspects.length;
  }

  add(work: Work): void {
    if (work.crashes > 0) this.#suspects.push(work);
    // A notice is for another handler.
    else if (work.notice) this.#notices.push(work);
    else this.#together.push({ work, since: performance.now() });
  }

  /** How many messages wait for a suspect at work to end, and for how long one has. */
  get heldUp(): { readonly count: number; readonly ms: number } {
    const since = this.#heldUpSince;
    return since === null ? { count: 0, ms: 0 } : { count: this.#suspects.length, ms: performance.now() - since };
  }

  /** The next batch; empty while none is ready. */
  take(): Work[] {
    if (this.#notices.length > 0) return this.#notices.splice(0, 1);
    if (this.#takesSuspect()) return [this.#suspect!];
    if (this.readyInMs() !== 0) return [];
    return this.#together.splice(0, this.#parts.rule.size).map(({ work }) => work);
  }

  /** A batch that was taken has ended. */
  ended(batch: readonly Work[]): void {
    if (!this.#suspect || batch[0] !== this.#suspect) return;
    this.#suspect = undefined;
    this.#heldUpSince = null;
    this.#parts.loneSlot.release();
  }

  readonly #onFree = (): void => {
    this.#heldUpSince = null;
    this.#parts.onReady();
  };

  #takesSuspect(): boolean {
    if (this.#suspects.length === 0) return false;
    const isTaken = !this.#suspect && this.#parts.loneSlot.take(this.#onFree);
    if (isTaken) this.#suspect = this.#suspects.shift();
    this.#heldUpSince = this.#suspects.length === 0 ? null : (this.#heldUpSince ?? performance.now());
    return isTaken;
  }

  /** How long until a batch is ready though nothing more comes, in whole milliseconds; null when nothing waits. */
  readyInMs(): number | null {
    const [oldest] = this.#together;
    if (this.#notices.length > 0 || this.#together.length >= this.#parts.rule.size) return 0;
    return oldest ? Math.max(0, Math.ceil(oldest.since + this.#parts.rule.waitMs - performance.now())) : null;
  }

  /** The last of those that wait together, as many as there are up to `count`. */
  takeNewest(count: number): Work[] {
    return this.#together.splice(Math.max(0, this.#together.length - count)).map(({ work }) => work);
  }

  takeAll(): Work[] {
    this.#heldUpSince = null;
    return [...this.#notices.splice(0), ...this.#suspects.splice(0), ...this.#together.splice(0).map(({ work }) => work)];
  }
}
