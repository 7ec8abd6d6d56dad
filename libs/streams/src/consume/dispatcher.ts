import { setMaxListeners } from 'node:events';
import type { BatchRule, DeliveryHandler, Outcome } from '@millrace/core';
import { deliveryOf, isNotice, noticeDeliveryOf, type NoticeWork } from './deliveries.js';
import { tellOfFailure } from './failure-events.js';
import type { HeldEntries } from './held-entries.js';
import type { HeldEntry } from './held-entry.js';
import type { LoneSlot } from './lone-slot.js';
import type { Permits } from './permits.js';
import { Running } from './running.js';
import { releaseOf, settlementOf, unhandledOutcome } from './settlement.js';
import type { Settler } from './settler.js';
import { outcomeWithoutHandler, type WithoutHandler } from './without-handler.js';
import { WorkQueue } from './work-queue.js';
import { isReadable, type ReadableWork, type Work } from './work.js';

export interface DispatcherParts extends WithoutHandler {
  readonly handler: DeliveryHandler;
  readonly settler: Settler;
  readonly held: HeldEntries;
  /** The one place of the process for messages whose process vanished. */
  readonly loneSlot: LoneSlot;
  /** Marks that such a message is about to be handled; false when it is not this member's any more. */
  readonly begin: (entry: HeldEntry) => Promise<boolean>;
  /** Handlers at once. */
  readonly concurrency: number;
  /** Absent: each message is handed over alone, at once. */
  readonly batch?: BatchRule | undefined;
  /** All handlers at work for so long, without one ending, are stuck; so is one that others must wait for. */
  readonly stuckAfterMs: number;
  /** The number of the seek by which the group is given the message again; null when it did not ask for it. */
  readonly replayOf: (work: Work) => number | null;
  /** Of the rate limit, where there is one. */
  readonly permits?: Permits | undefined;
  /** Called when a message has been scheduled for another attempt. */
  readonly retryScheduled: () => void;
  /** Called when a message goes back to the group because there was no slot, or no permit, for it. */
  readonly gaveBack: (work: Work) => void;
}

const ONE_BY_ONE: BatchRule = { size: 1, waitMs: 0 };
/** What no handler is for takes no slot. While this many of them wait for Redis to take their outcomes, no more are fetched. */
const MOST_APART = 256;
/** An entry may bring more messages than there are slots. What waits for one for so long goes back: others may have slots. */
const PATIENCE_MS = 1_000;

/** Hands messages to the handler, as many batches at once as there are slots, and has their outcomes settled. */
export class Dispatcher {
  readonly #parts: DispatcherParts;
  readonly #queue: WorkQueue;
  /** Messages that may be in hand. */
  readonly #slots: number;
  readonly #running: Running;
  /** Settlements of what no handler is for. */
  readonly #apart = new Set<Promise<void>>();
  #paused = false;
  /** Aborted while it is paused. */
  #holding = newHolding();
  #timer: NodeJS.Timeout | undefined;
  #patience: NodeJS.Timeout | undefined;
  #onFree: (() => void) | null = null;
  /** Called when something has ended. */
  readonly #onEnd: (() => void)[] = [];

  constructor(parts: DispatcherParts) {
    const { concurrency, loneSlot, batch = ONE_BY_ONE } = parts;
    this.#parts = parts;
    this.#queue = new WorkQueue({ rule: batch, loneSlot, onReady: () => this.#startNext() });
    this.#running = new Running(concurrency);
    this.#slots = concurrency * batch.size;
  }

  /** How many more messages may be fetched. */
  get freeSlots(): number {
    return Math.max(0, Math.min(this.#slotsLeft, this.#parts.permits?.inHand ?? Infinity));
  }

  /** How long a read may wait for messages: permits must not be held for long while others could use them. */
  get longestWaitMs(): number {
    return this.#parts.permits?.holdMs ?? Infinity;
  }

  get #slotsLeft(): number {
    if (!this.#mayStart) return 0;
    return Math.min(-this.#excess, MOST_APART - this.#apart.size);
  }

  /** Messages in hand beyond the slots; negative while slots are free. */
  get #excess(): number {
    return this.#running.messages + this.#queue.length - this.#slots;
  }

  /** Why no handler gets on, or null while they do. */
  problem(): string | null {
    const { concurrency, stuckAfterMs } = this.#parts;
    const { fullMs } = this.#running;
    if (fullMs > stuckAfterMs) return `all ${concurrency} handlers have been at work for ${seconds(fullMs)} s and none has ended: give them a timeout`;
    const { count, ms } = this.#queue.heldUp;
    if (ms <= stuckAfterMs) return null;
    return `a message whose process vanished has been at work for ${seconds(ms)} s and holds up ${count} more like it: give the handler a timeout`;
  }

  /**
   * Resolves when there is a free slot, and a permit for it where there is a rate limit, or when the signal aborts. It rejects
   * when Redis does not say whether there is a permit.
   */
  async whenFree(signal: AbortSignal): Promise<void> {
    const wake = (): void => this.#onFree?.();
    signal.addEventListener('abort', wake);
    while (this.#slotsLeft <= 0 && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#onFree = resolve;
      });
    }
    signal.removeEventListener('abort', wake);
    if (!signal.aborted) await this.#parts.permits?.some(this.#slotsLeft, signal);
  }

  add(work: readonly Work[]): void {
    for (const item of work) {
      const outcome = outcomeWithoutHandler(item, this.#parts);
      if (outcome) this.#track(this.#settle(item, outcome));
      else this.#enqueue(item);
    }
    this.#startNext();
  }

  #enqueue(work: Work): void {
    const { permits } = this.#parts;
    if (work.notice || !permits || permits.use()) this.#queue.add(work);
    else this.#giveBack([work]);
  }

  /** It was made sure of what is held: what waited for that may begin. */
  goOn(): void {
    this.#startNext();
    this.#onFree?.();
  }

  /** Starts no handler from now on. */
  pause(): void {
    this.#paused = true;
    this.#holding.abort();
    clearTimeout(this.#timer);
    this.#watchExcess();
  }

  /** Starts handlers again. */
  resume(): void {
    this.#paused = false;
    this.#holding = newHolding();
    this.goOn();
  }

  /** What was fetched and waits for a handler to be started. */
  takeWaiting(): Work[] {
    return this.#queue.takeAll();
  }

  /** Resolves when every handler that was started has ended, or was given up, and all is settled. */
  async drain(): Promise<void> {
    while (this.#running.size + this.#apart.size > 0) await new Promise<void>((resolve) => this.#onEnd.push(resolve));
  }

  /**
   * Waits for handlers no longer, and starts none: what they are at work on goes back to the group at once, uncounted, and
   * what they say later counts for nothing.
   */
  giveUp(): void {
    this.pause();
    for (const [batch, begun] of this.#running.atWork()) {
      this.#track(this.release(begun));
      this.#ended(batch);
    }
  }

  /** Gives messages back to the group at once, without counting an attempt. */
  async release(work: readonly Work[]): Promise<void> {
    await Promise.all(work.map((item) => this.#parts.settler.settle(item, releaseOf(item))));
  }

  #startNext(): void {
    this.#start();
    this.#watchExcess();
  }

  #start(): void {
    clearTimeout(this.#timer);
    while (this.#mayStart && !this.#running.isFull) {
      const batch = this.#queue.take();
      if (batch.length === 0) {
        this.#startWhenReady();
        return;
      }
      this.#running.add(batch);
      void this.#process(batch).finally(() => this.#ended(batch));
    }
  }

  get #mayStart(): boolean {
    return !this.#paused && this.#parts.held.isSure;
  }

  #ended(batch: readonly Work[]): void {
    if (!this.#running.end(batch)) return;
    this.#queue.ended(batch);
    this.#freed();
  }

  #startWhenReady(): void {
    const waitMs = this.#queue.readyInMs();
    if (waitMs !== null) this.#timer = setTimeout(() => this.#startNext(), waitMs);
  }

  #watchExcess(): void {
    if (this.#paused || this.#excess <= 0) {
      clearTimeout(this.#patience);
      this.#patience = undefined;
    } else this.#patience ??= setTimeout(() => this.#shareExcess(), PATIENCE_MS);
  }

  #shareExcess(): void {
    this.#patience = undefined;
    this.#giveBack(this.#queue.takeNewest(this.#excess));
    this.#watchExcess();
  }

  #giveBack(work: readonly Work[]): void {
    for (const item of work) this.#parts.gaveBack(item);
    this.#track(this.release(work));
  }

  /** For settlements that take no slot. */
  #track(settling: Promise<void>): void {
    const tracked = settling.finally(() => {
      this.#apart.delete(tracked);
      this.#freed();
    });
    this.#apart.add(tracked);
  }

  #freed(): void {
    this.goOn();
    for (const heard of this.#onEnd.splice(0)) heard();
  }

  /** Handle, then settle: what was lost, or expired, while it waited for a slot is not begun. */
  async #process(batch: readonly Work[]): Promise<void> {
    const open = batch.filter((work) => this.#mayBegin(work));
    const [first] = open;
    if (first && first.crashes > 0 && !(await this.#isMarked(first))) return;
    if (isNotice(first)) return this.#tell(batch, first);
    const begun = open.filter(isReadable);
    if (begun.length === 0) return;
    this.#running.begin(batch, begun);
    const outcomes = await this.#outcomes(begun);
    if (!this.#running.handled(batch)) return;
    await Promise.all(begun.map((work, index) => this.#settle(work, outcomes[index] ?? defect('The handler has no outcome for it.'))));
  }

  #mayBegin(work: Work): boolean {
    if (work.entry.isGivenUp) return false;
    const outcome = outcomeWithoutHandler(work, this.#parts);
    if (outcome) this.#track(this.#settle(work, outcome));
    return outcome === null;
  }

  /** A message whose process vanished is marked first: should this one vanish too, that tells that it was at work on it. */
  async #isMarked(work: Work): Promise<boolean> {
    const mayBegin = await this.#parts.begin(work.entry).catch(() => null);
    if (mayBegin === true && this.#mayStart && !work.entry.isGivenUp) return true;
    if (mayBegin === false) this.#parts.held.lost(work.entry);
    else if (!work.entry.isGivenUp) this.#track(this.release([work]));
    return false;
  }

  async #outcomes(batch: readonly ReadableWork[]): Promise<readonly Outcome[]> {
    try {
      const { signal: heldUp } = this.#holding;
      return await this.#parts.handler(batch.map((work) => deliveryOf(work, { replay: this.#parts.replayOf(work), heldUp })));
    } catch (thrown) {
      return batch.map(() => defect(thrown));
    }
  }

  async #tell(batch: readonly Work[], notice: NoticeWork): Promise<void> {
    this.#running.begin(batch, [notice]);
    const told = await this.#parts.deadLetterHandler?.(noticeDeliveryOf(notice)).catch(defect);
    if (!this.#running.handled(batch)) return;
    await this.#settle(notice, told ?? { kind: 'ack' });
  }

  async #settle(work: Work, outcome: Outcome): Promise<void> {
    const { settler, deadLetterHandler, retryScheduled } = this.#parts;
    tellOfFailure(work, outcome);
    await settler.settle(work, settlementOf(work, outcome, { announces: deadLetterHandler !== undefined }));
    if (outcome.kind === 'retry') retryScheduled();
  }
}

function seconds(ms: number): number {
  return Math.floor(ms / 1_000);
}

/** As many handlers listen to it as there are slots. */
function newHolding(): AbortController {
  const holding = new AbortController();
  setMaxListeners(0, holding.signal);
  return holding;
}

function defect(thrown: unknown): Outcome {
  return unhandledOutcome('HANDLER_DEFECT', thrown);
}
