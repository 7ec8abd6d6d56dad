import { setMaxListeners } from 'node:events';
import type { BatchRule, Outcome } from '@millrace/core';
import type { DeliveryOwner } from './delivery-owner.js';
import { tellOfFailure } from './failure-events.js';
import { defect, handOver } from './hand-over.js';
import { HandlerSlots, type Now } from './handler-slots.js';
import type { Handling } from './handling.js';
import type { HeldEntries } from './held-entries.js';
import type { Holdings } from './holdings.js';
import type { LoneSlot } from './lone-slot.js';
import type { Permits } from './permits.js';
import { releaseOf, type Settlement, settlementOf } from './settlement.js';
import type { Settler } from './settler.js';
import type { Item, Settling } from './settling.js';
import { outcomeWithoutHandler, type WithoutHandler } from './without-handler.js';
import type { Work } from './work.js';

export interface DispatcherParts extends WithoutHandler {
  readonly handling: Handling;
  readonly owner: DeliveryOwner;
  readonly settler: Pick<Settler, 'settle'>;
  readonly held: HeldEntries;
  readonly holdings: Pick<Holdings, 'begin'>;
  /** The one place of the process for messages whose process vanished. */
  readonly loneSlot: LoneSlot;
  /** Handlers at once. */
  readonly concurrency: number;
  readonly stuckAfterMs: number;
  /** Of the rate limit, where there is one. */
  readonly permits?: Permits | undefined;
}

const ONE_BY_ONE: BatchRule = { size: 1, waitMs: 0 };

/**
 * Hands messages to the handler, as many batches at once as there are slots, and has their outcomes settled. What may begin and
 * what goes back is decided by {@link HandlerSlots}; here it is done.
 */
export class Dispatcher implements Settling {
  readonly #parts: DispatcherParts;
  readonly #slots: HandlerSlots;
  #isStarting = false;
  /** Aborted while it is paused. */
  #holding = newHolding();
  #timer: NodeJS.Timeout | undefined;
  /** When the timer is due, by the monotonic clock. */
  #timerAtMs = 0;
  #wakeFetcher: (() => void) | null = null;
  /** Called when something has ended. */
  readonly #onEnd: (() => void)[] = [];

  constructor(parts: DispatcherParts) {
    const { concurrency, handling, stuckAfterMs } = parts;
    this.#parts = parts;
    this.#slots = new HandlerSlots({ concurrency, stuckAfterMs, rule: handling.rule ?? ONE_BY_ONE });
  }

  /** How many more messages may be fetched. */
  get freeSlots(): number {
    return Math.max(0, Math.min(this.#room, this.#parts.permits?.inHand ?? Infinity));
  }

  /** How long a read may wait for messages: permits must not be held for long while others could use them. */
  get longestWaitMs(): number {
    return this.#parts.permits?.holdMs ?? Infinity;
  }

  /** Why no handler gets on, or null while they do. */
  problem(): string | null {
    return this.#slots.problem(performance.now());
  }

  /**
   * Resolves when there is room for messages, and a permit for one where there is a rate limit, or when the signal aborts. It
   * rejects when Redis does not say whether there is a permit.
   */
  async whenFree(signal: AbortSignal): Promise<void> {
    const wake = (): void => this.#wakeFetcher?.();
    signal.addEventListener('abort', wake);
    while (this.#room <= 0 && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#wakeFetcher = resolve;
      });
    }
    this.#wakeFetcher = null;
    signal.removeEventListener('abort', wake);
    if (!signal.aborted) await this.#parts.permits?.some(this.#room, signal);
  }

  /** Takes messages in that were fetched. */
  add(work: readonly Work[]): void {
    const nowMs = performance.now();
    for (const item of work) {
      const outcome = outcomeWithoutHandler(item, this.#parts);
      if (outcome) this.#settle(item, outcome);
      else this.#enqueue(item, nowMs);
    }
    this.#startNext();
  }

  /** It was made sure of what is held: what waited for that may begin. */
  goOn(): void {
    this.#startNext();
    this.#wakeFetcher?.();
  }

  /** Starts no handler from now on. */
  pause(): void {
    this.#slots.pause();
    this.#holding.abort();
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Starts handlers again. */
  resume(): void {
    this.#slots.resume();
    this.#holding = newHolding();
    this.goOn();
  }

  /** What was fetched and waits for a handler to be started. */
  takeWaiting(): Work[] {
    return this.#slots.takeWaiting();
  }

  /** Resolves when every handler that was started has ended, or was given up, and all is settled. */
  async drain(): Promise<void> {
    while (!this.#slots.isIdle) await new Promise<void>((resolve) => this.#onEnd.push(resolve));
  }

  /**
   * Waits for handlers no longer, and starts none: what they are at work on goes back to the group at once, uncounted, and
   * what they say later counts for nothing.
   */
  giveUp(): void {
    this.pause();
    for (const [batch, begun] of this.#slots.atWork()) {
      this.release(begun);
      this.#ended(batch);
    }
  }

  /** Gives messages back to the group at once, without counting an attempt. */
  release(work: readonly Work[]): void {
    for (const item of work) this.#write(item, releaseOf(item));
  }

  settled(items: readonly Item[]): void {
    this.#slots.settled(items.length);
    const [{ work, settlement }] = items as [Item];
    if (settlement[0] === 'retry') this.#parts.owner.retryScheduled(work);
    if (settlement[0] === 'dead') this.#parts.owner.deadLettered();
    const kept = this.#slots.keptFor(work);
    if (kept) this.#ended(kept);
    else this.#freed();
  }

  get #room(): number {
    return this.#slots.room(this.#now());
  }

  #now(): Now {
    return { ms: performance.now(), isSure: this.#parts.held.isSure };
  }

  #enqueue(work: Work, nowMs: number): void {
    const { permits } = this.#parts;
    if (!permits || permits.use()) this.#slots.add(work, nowMs);
    else this.#putBack([work]);
  }

  #startNext(): void {
    // What ends while others are begun is seen by the one that begins them.
    if (this.#isStarting) return;
    this.#isStarting = true;
    for (let now = this.#now(); this.#slots.canBegin(now); now = this.#now()) {
      const batch = this.#take(now.ms);
      if (batch.length === 0) break;
      this.#begin(batch);
    }
    this.#isStarting = false;
    this.#watch();
  }

  #take(nowMs: number): readonly Work[] {
    if (this.#slots.wantsLoneSlot && this.#parts.loneSlot.take(this.#onLoneSlotFree)) return this.#slots.takeSuspect(nowMs);
    return this.#slots.take(nowMs);
  }

  readonly #onLoneSlotFree = (): void => {
    this.#slots.loneSlotFreed();
    this.#startNext();
  };

  /** Looks again when time alone brings a decision. A timer that is due before that does so too. */
  #watch(): void {
    const now = this.#now();
    const inMs = this.#slots.nextLookInMs(now);
    if (inMs === null || (this.#timer && this.#timerAtMs <= now.ms + inMs)) return;
    clearTimeout(this.#timer);
    this.#timerAtMs = now.ms + inMs;
    this.#timer = setTimeout(() => this.#look(), inMs);
  }

  #look(): void {
    this.#timer = undefined;
    this.#putBack(this.#slots.takeOverdue(performance.now()));
    this.#startNext();
  }

  #putBack(work: readonly Work[]): void {
    for (const item of work) this.#parts.owner.overFetched(item);
    this.release(work);
  }

  #ended(batch: readonly Work[]): void {
    const free = this.#slots.end(batch);
    if (free === 'nothing') return;
    if (free === 'lone slot') this.#parts.loneSlot.release();
    this.#freed();
  }

  #freed(): void {
    this.goOn();
    if (this.#onEnd.length > 0) for (const heard of this.#onEnd.splice(0)) heard();
  }

  /** What was lost, or expired, while it waited for a slot is not begun. */
  #begin(batch: readonly Work[]): void {
    const open = batch.filter((work) => this.#mayBegin(work));
    const [first] = open;
    if (!first) this.#ended(batch);
    else if (first.crashes > 0) void this.#beginLone(batch, first);
    else this.#hand(batch, open);
  }

  #mayBegin(work: Work): boolean {
    if (work.entry.isGivenUp) return false;
    const outcome = outcomeWithoutHandler(work, this.#parts);
    if (outcome) this.#settle(work, outcome);
    return outcome === null;
  }

  /** A message whose process vanished is marked first: should this one vanish too, that tells that it was at work on it. */
  async #beginLone(batch: readonly Work[], work: Work): Promise<void> {
    const { held, holdings } = this.#parts;
    this.#slots.beginLone(batch);
    const mayBegin = await holdings.begin(work.entry).catch(() => null);
    if (mayBegin === true && this.#slots.mayBegin(this.#now()) && !work.entry.isGivenUp) this.#hand(batch, [work]);
    else {
      if (mayBegin === false) held.lost(work.entry);
      else if (!work.entry.isGivenUp) this.release([work]);
      this.#ended(batch);
    }
  }

  #hand(batch: readonly Work[], open: readonly Work[]): void {
    this.#slots.begin(batch, open);
    for (const work of open) {
      work.heldUp = this.#holding.signal;
      work.replayedBy = this.#parts.owner.replayOf(work);
    }
    void handOver(this.#parts.handling, open).then((outcomes) => this.#handled(batch, outcomes));
  }

  /** Its slot is free, but for that of a lone one, and the outcomes are settled meanwhile. */
  #handled(batch: readonly Work[], outcomes: readonly Outcome[]): void {
    const begun = this.#slots.handled(batch);
    begun.forEach((work, index) => this.#settle(work, outcomes[index] ?? defect('The handler has no outcome for it.')));
    if (!this.#slots.keepsSlot(batch)) this.#ended(batch);
  }

  #settle(work: Work, outcome: Outcome): void {
    if (outcome.kind === 'ack') this.#slots.succeeded();
    else tellOfFailure(work, outcome);
    this.#write(work, settlementOf(work, outcome));
  }

  #write(work: Work, settlement: Settlement): void {
    this.#slots.settling();
    this.#parts.settler.settle(work, settlement, this);
  }
}

/** As many handlers listen to it as there are slots. */
function newHolding(): AbortController {
  const holding = new AbortController();
  setMaxListeners(0, holding.signal);
  return holding;
}
