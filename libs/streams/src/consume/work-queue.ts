import type { BatchRule } from '@millrace/core';
import type { Work } from './work.js';

interface Waiting {
  readonly work: Work;
  /** By the monotonic clock, in milliseconds. */
  readonly since: number;
}

/** What was fetched and waits for a handler, in the batches in which it will be handed over. */
export class WorkQueue {
  readonly #rule: BatchRule;
  readonly #crashLimit: number;
  readonly #together: Waiting[] = [];
  readonly #alone: Work[] = [];
  readonly #suspects: Work[] = [];
  /** The one that was taken and has not ended. */
  #suspect: Work | undefined;
  /** Since when it holds up others, by the monotonic clock, in milliseconds; null while none waits for it. */
  #heldUpSince: number | null = null;
  #isGathering = false;

  constructor(rule: BatchRule, crashLimit: number) {
    this.#rule = rule;
    this.#crashLimit = crashLimit;
  }

  get length(): number {
    return this.#together.length + this.#alone.length + this.#suspects.length;
  }

  /**
   * A message whose process vanished is not put together with others any more: if it is the one that takes processes down,
   * they would count its crashes as theirs, and end as it does. A notice is for another handler. Half way to the limit, such
   * messages are not even begun beside each other.
   */
  add(work: Work): void {
    if (!work.notice && work.crashes * 2 >= this.#crashLimit) this.#addSuspect(work);
    else if (work.notice || (work.crashes > 0 && this.#rule.size > 1)) this.#alone.push(work);
    else this.#together.push({ work, since: performance.now() });
  }

  /** How many messages wait for the suspect at work to end, and for how long one has. */
  get heldUp(): { readonly count: number; readonly ms: number } {
    const since = this.#heldUpSince;
    return since === null ? { count: 0, ms: 0 } : { count: this.#suspects.length, ms: performance.now() - since };
  }

  /** While it gathers, nothing begins whose process vanished: which of them is first is chosen among all of them. */
  gather(isGathering: boolean): void {
    this.#isGathering = isGathering;
  }

  /** The next batch; empty while none is ready. */
  take(): Work[] {
    if (this.#hasAlone) return takeAlone(this.#alone);
    if (this.#hasSuspect) return this.#takeSuspect();
    if (this.readyInMs() !== 0) return [];
    return this.#together.splice(0, this.#rule.size).map(({ work }) => work);
  }

  /** A batch that was taken has ended. */
  ended(batch: readonly Work[]): void {
    if (batch[0] !== this.#suspect) return;
    this.#suspect = undefined;
    this.#heldUpSince = null;
  }

  #addSuspect(work: Work): void {
    this.#suspects.push(work);
    if (this.#suspect) this.#heldUpSince ??= performance.now();
  }

  get #hasAlone(): boolean {
    return this.#alone.length > 0 && !this.#isGathering;
  }

  get #hasSuspect(): boolean {
    return this.#suspects.length > 0 && !this.#suspect && !this.#isGathering;
  }

  #takeSuspect(): Work[] {
    const batch = takeAlone(this.#suspects);
    this.#suspect = batch[0];
    this.#heldUpSince = this.#suspects.length > 0 ? performance.now() : null;
    return batch;
  }

  /** How long until a batch is ready though nothing more comes, in whole milliseconds; null when nothing waits. */
  readyInMs(): number | null {
    const [oldest] = this.#together;
    if (this.#hasAlone || this.#hasSuspect || this.#together.length >= this.#rule.size) return 0;
    return oldest ? Math.max(0, Math.ceil(oldest.since + this.#rule.waitMs - performance.now())) : null;
  }

  /** The last of those that wait together, as many as there are up to `count`. */
  takeNewest(count: number): Work[] {
    return this.#together.splice(Math.max(0, this.#together.length - count)).map(({ work }) => work);
  }

  takeAll(): Work[] {
    this.#heldUpSince = null;
    return [...this.#alone.splice(0), ...this.#suspects.splice(0), ...this.#together.splice(0).map(({ work }) => work)];
  }
}

/** What waits behind the message that takes the process down counts a crash as well: so each time another one is first. */
function takeAlone(waiting: Work[]): Work[] {
  return waiting.splice(waiting[0]!.crashes % waiting.length, 1);
}
