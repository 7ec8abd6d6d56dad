import type { BatchRule } from '@millrace/core';
import type { LoneSlot } from './lone-slot.js';
import type { Work } from './work.js';

export interface WorkQueueParts {
  readonly rule: BatchRule;
  readonly loneSlot: LoneSlot;
  /** Called when something may be taken that could not be before. */
  readonly onReady: () => void;
}

/** What was fetched and waits for a handler, in the batches in which it will be handed over. */
export class WorkQueue {
  readonly #parts: WorkQueueParts;
  #together: Work[] = [];
  /** Those before it were taken. */
  #first = 0;
  /** Their process vanished: each is handled alone, as it may be the one that takes processes down. */
  #suspects: Work[] = [];
  /** The one that was taken and has not ended. */
  #suspect: Work | undefined;
  /** Since when suspects wait for one to end, by the monotonic clock, in milliseconds; null while none waits. */
  #heldUpSince: number | null = null;

  constructor(parts: WorkQueueParts) {
    this.#parts = parts;
  }

  get length(): number {
    return this.#waiting + this.#suspects.length;
  }

  /** @param nowMs by the monotonic clock */
  add(work: Work, nowMs: number): void {
    work.waitsSince = nowMs;
    if (work.crashes > 0) this.#suspects.push(work);
    else this.#together.push(work);
  }

  /** How many messages wait for a suspect at work to end, and for how long one has. */
  get heldUp(): { readonly count: number; readonly ms: number } {
    const since = this.#heldUpSince;
    return since === null ? { count: 0, ms: 0 } : { count: this.#suspects.length, ms: performance.now() - since };
  }

  /** The next batch; empty while none is ready. */
  take(): Work[] {
    if (this.#takesSuspect()) return [this.#suspect!];
    if (this.readyInMs() !== 0) return [];
    return this.#takeOldest(this.#parts.rule.size);
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

  /** Since when the one of them waits that waits longest, by the monotonic clock, in milliseconds; null when none does. */
  get waitsSinceMs(): number | null {
    return this.#together[this.#first]?.waitsSince ?? null;
  }

  /** How long until a batch is ready though nothing more comes, in whole milliseconds; null when nothing waits. */
  readyInMs(): number | null {
    if (this.#waiting >= this.#parts.rule.size) return 0;
    const sinceMs = this.waitsSinceMs;
    return sinceMs === null ? null : Math.max(0, Math.ceil(sinceMs + this.#parts.rule.waitMs - performance.now()));
  }

  get hasSuspects(): boolean {
    return this.#suspects.length > 0;
  }

  /** Those whose process vanished that have waited since then, or longer; by the monotonic clock, in milliseconds. */
  takeSuspectsSince(momentMs: number): Work[] {
    const taken = this.#suspects.filter(({ waitsSince }) => waitsSince <= momentMs);
    this.#suspects = this.#suspects.filter(({ waitsSince }) => waitsSince > momentMs);
    return taken;
  }

  /** The last of those that wait together, as many as there are up to `count`. */
  takeNewest(count: number): Work[] {
    return this.#together.splice(Math.max(this.#first, this.#together.length - count));
  }

  takeAll(): Work[] {
    this.#heldUpSince = null;
    return [...this.#suspects.splice(0), ...this.#takeOldest(this.#waiting)];
  }

  get #waiting(): number {
    return this.#together.length - this.#first;
  }

  /** An array that is cut at its beginning is copied: that is done seldom. */
  #takeOldest(count: number): Work[] {
    const taken = this.#together.slice(this.#first, this.#first + count);
    this.#first += taken.length;
    if (this.#first * 2 >= this.#together.length) {
      this.#together = this.#together.slice(this.#first);
      this.#first = 0;
    }
    return taken;
  }
}
