import { setMaxListeners } from 'node:events';
import type { BatchRule, Outcome } from '@millrace/core';
import type { Breaker } from '../break/breaker.js';
import { BeginPermits } from './begin-permits.js';
import { emitFailure } from './failure-events.js';
import type { Feedback } from './feedback.js';
import { handOver } from './hand-over.js';
import { isHandledHeard, noteBegin, tellFetched, tellHandled } from './handled-events.js';
import { HandlerSlots, type Now } from './handler-slots.js';
import type { Handling } from './handling.js';
import type { HeldEntries } from './held-entries.js';
import type { InPlace, Later } from './in-place.js';
import type { LoneSlot } from './lone-slot.js';
import type { PendingDelivery } from './pending-delivery.js';
import type { RateLimiter } from './rate-limiter.js';
import { HANDLED, isDone, releaseOf, type Settlement, settlementOf } from './settlement.js';
import type { Settler } from './settler.js';
import type { Item, Settling } from './settling.js';
import { outcomeWithoutHandler, type WithoutHandler } from './without-handler.js';

export interface DispatcherParts extends WithoutHandler {
  readonly handling: Handling;
  readonly feedback: Pick<Feedback, 'replayOf' | 'retryScheduled' | 'deadLettered' | 'overFetched'>;
  readonly settler: Pick<Settler, 'settle'>;
  readonly held: HeldEntries;
  readonly holdings: {
    /** Marks a message whose process vanished as one that begins. @returns false when the member does not hold it any more */
    begin(delivery: PendingDelivery): Promise<boolean>;
  };
  /** Present: messages that are not done stay here, and do not go back to the group. */
  readonly inPlace?: InPlace | undefined;
  /** The one slot of the process for messages whose process vanished. */
  readonly loneSlot: LoneSlot;
  /** Handlers at once. */
  readonly concurrency: number;
  readonly stuckAfterMs: number;
  /** Present: looks at each outcome of the handler before it is settled. */
  readonly breaker?: Pick<Breaker, 'judge'> | undefined;
  /** The permits of the rate limit, where there is one: a message needs one to be read or, where it stays here, to begin. */
  readonly rateLimiter?: RateLimiter | undefined;
}

export const ONE_BY_ONE: BatchRule = { size: 1, waitMs: 0 };

/**
 * Hands messages to the handler, as many batches at once as there are slots, and has their outcomes settled.
 * {@link HandlerSlots} decides which messages may begin and which go back; the dispatcher does it.
 */
export class Dispatcher implements Settling {
  readonly #parts: DispatcherParts;
  readonly #slots: HandlerSlots;
  readonly #permits: BeginPermits | undefined;
  readonly #readPermits: RateLimiter | undefined;
  #isStarting = false;
  /** Aborted while it is paused. */
  #holding = newHolding();
  #timer: NodeJS.Timeout | undefined;
  /** When the timer is due, by the monotonic clock. */
  #timerAtMs = 0;
  #wakeFetcher: (() => void) | null = null;
  /** Called when a batch has ended, or a settlement. */
  readonly #onEnd: (() => void)[] = [];

  constructor(parts: DispatcherParts) {
    const { concurrency, handling, stuckAfterMs, inPlace, rateLimiter } = parts;
    this.#parts = parts;
    this.#permits = inPlace && rateLimiter && this.#beginPermitsOf(rateLimiter);
    this.#readPermits = inPlace ? undefined : rateLimiter;
    const rules = { concurrency, stuckAfterMs, rule: handling.rule ?? ONE_BY_ONE };
    this.#slots = new HandlerSlots({ ...rules, queue: inPlace?.queue, permits: this.#permits });
  }

  /** How many more messages may be fetched. */
  get freeSlots(): number {
    return Math.max(0, Math.min(this.#room, this.#readPermits?.inHand ?? Infinity));
  }

  /** Handlers at work. */
  get inFlight(): number {
    return this.#slots.running;
  }

  /** Whether nothing is read since all handlers are at work, or there is no permit. */
  get isFull(): boolean {
    return this.inFlight >= this.#parts.concurrency || this.#readPermits?.inHand === 0;
  }

  /** How long a read may wait for messages: permits must not be held for long while others could use them. */
  get longestWaitMs(): number {
    return this.#readPermits?.holdMs ?? Infinity;
  }

  /** Why the handlers make no progress, or null while they do. */
  problem(): string | null {
    return this.#slots.problem(performance.now()) ?? this.#permits?.problem() ?? null;
  }

  /**
   * Resolves when there is room for messages, and a permit for one where there is a rate limit, or when the signal aborts. It
   * rejects when Redis does not answer whether there is a permit.
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
    if (!signal.aborted) await this.#readPermits?.some(this.#room, signal);
  }

  /** Takes fetched messages in. */
  add(deliveries: readonly PendingDelivery[]): void {
    tellFetched(deliveries);
    const nowMs = performance.now();
    for (const delivery of deliveries) {
      const outcome = outcomeWithoutHandler(delivery, this.#parts);
      // A message that has its turn to wait for is not given up, nor tried later, before that.
      if (outcome && (!this.#parts.inPlace || outcome.kind === 'ack')) this.#settle(delivery, outcome);
      else this.#enqueue(delivery, nowMs);
    }
    this.#startNext();
  }

  /** Goes on after the holdings were verified: messages that waited for that may begin. */
  goOn(): void {
    this.#startNext();
    this.#wakeFetcher?.();
  }

  /** Messages that waited were taken out: there may be room for others. */
  roomGrew(): void {
    this.#wakeFetcher?.();
  }

  /** Starts no handler from now on. */
  pause(): void {
    this.#slots.pause();
    this.#holding.abort();
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Handlers have no more messages than so many at once. */
  limit(messages: number): void {
    this.#slots.limit(messages);
    this.goOn();
  }

  /** Starts handlers again. */
  resume(): void {
    this.#slots.resume();
    this.#holding = newHolding();
    this.goOn();
  }

  /** Takes out the messages that were fetched and wait for a handler. */
  takeWaiting(): PendingDelivery[] {
    return this.#slots.takeWaiting();
  }

  /** Resolves when every started handler has ended, or was given up, and every outcome is settled. */
  async drain(): Promise<void> {
    while (!this.#slots.isIdle) await this.nextEnd();
  }

  /** Resolves when a batch has ended, or when outcomes are settled. */
  nextEnd(): Promise<void> {
    return new Promise((resolve) => this.#onEnd.push(resolve));
  }

  /**
   * Waits for handlers no longer, and starts none. Their messages go back to the group at once, without counting an attempt, and
   * their outcomes are ignored from now on.
   */
  giveUp(): void {
    this.pause();
    for (const [batch, begun] of this.#slots.atWork()) {
      this.release(begun);
      this.#ended(batch);
    }
  }

  /** Gives messages back to the group at once, without counting an attempt. */
  release(deliveries: readonly PendingDelivery[]): void {
    const { inPlace } = this.#parts;
    if (inPlace) inPlace.release(deliveries);
    else for (const delivery of deliveries) this.#write(delivery, releaseOf(delivery));
  }

  settled(items: readonly Item[]): void {
    this.#slots.settled(items);
    const [{ delivery, settlement }] = items as [Item];
    if (settlement[0] === 'ack' && !delivery.entry.isGivenUp) this.#done(items);
    if (settlement[0] === 'retry') this.#parts.feedback.retryScheduled(delivery);
    if (settlement[0] === 'dead') this.#parts.feedback.deadLettered();
    const kept = this.#slots.keptFor(items);
    if (kept) this.#ended(kept);
    else this.#freed();
  }

  #done(items: readonly Item[]): void {
    this.#slots.succeeded(items.length);
    for (const { delivery, settlement } of items) if (isDone(settlement)) delivery.onDone?.();
  }

  #beginPermitsOf(limiter: RateLimiter): BeginPermits {
    const mayHaveLoneSlot = (): boolean => this.#slots.wantsLoneSlot && this.#parts.loneSlot.isFree(this.#onLoneSlotFree);
    const wanted = (): number => this.#slots.wanted(this.#now(), mayHaveLoneSlot);
    return new BeginPermits({ limiter, wanted, onGranted: () => this.#startNext() });
  }

  get #room(): number {
    return this.#slots.room(this.#now());
  }

  #now(): Now {
    return { ms: performance.now(), isSure: this.#parts.held.isSure };
  }

  #enqueue(delivery: PendingDelivery, nowMs: number): void {
    // A read may bring more than there are permits for, as an entry has up to 16 messages.
    if (!this.#readPermits || this.#readPermits.use()) this.#slots.add(delivery, nowMs);
    else this.#putBack([delivery]);
  }

  #startNext(): void {
    // The loop below runs already, and sees batches that end meanwhile.
    if (this.#isStarting) return;
    this.#isStarting = true;
    // A handler may block this process, or the system may halt it, between any two of them.
    let now = this.#now();
    while (this.#slots.canBegin(now)) {
      const batch = this.#take(now.ms);
      if (batch.length === 0) break;
      this.#begin(batch);
      now = this.#now();
    }
    this.#isStarting = false;
    this.#permits?.look();
    this.#watch(now);
  }

  #take(nowMs: number): readonly PendingDelivery[] {
    const suspect = this.#takeSuspect(nowMs);
    if (suspect.length > 0) return suspect;
    const batch = this.#slots.take(nowMs);
    // The time of a suspect that waited for its next attempt may have come only now.
    return batch.length > 0 ? batch : this.#takeSuspect(nowMs);
  }

  #takeSuspect(nowMs: number): readonly PendingDelivery[] {
    const isFree = this.#slots.wantsLoneSlot && this.#parts.loneSlot.take(this.#onLoneSlotFree);
    return isFree ? this.#slots.takeSuspect(nowMs) : [];
  }

  readonly #onLoneSlotFree = (): void => {
    this.#slots.loneSlotFreed();
    this.#startNext();
  };

  /** Sets the timer for the next decision that only time brings. A timer that is due earlier looks as well, and stays. */
  #watch(now: Now): void {
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

  #putBack(deliveries: readonly PendingDelivery[]): void {
    for (const delivery of deliveries) this.#parts.feedback.overFetched(delivery);
    this.release(deliveries);
  }

  #ended(batch: readonly PendingDelivery[]): void {
    const free = this.#slots.end(batch);
    if (free === 'nothing') return;
    if (free === 'lone slot') this.#parts.loneSlot.release();
    this.#freed();
  }

  #freed(): void {
    this.goOn();
    if (this.#onEnd.length > 0) for (const heard of this.#onEnd.splice(0)) heard();
  }

  /** Begins a batch without the messages that were lost or have expired while they waited for a slot. */
  #begin(batch: readonly PendingDelivery[]): void {
    const open = batch.filter((delivery) => this.#mayBegin(delivery));
    const [first] = open;
    this.#permits?.use(open.length);
    if (!first) this.#ended(batch);
    else if (first.crashes > 0) void this.#beginLone(batch, first);
    else this.#hand(batch, open);
  }

  #mayBegin(delivery: PendingDelivery): boolean {
    if (delivery.entry.isGivenUp) return false;
    if (this.#settleLater(delivery, this.#parts.inPlace?.aside(delivery))) return false;
    const outcome = outcomeWithoutHandler(delivery, this.#parts);
    if (outcome) this.#settle(delivery, outcome);
    return outcome === null;
  }

  /** Marks a message whose process vanished before it begins: should this process vanish too, the mark shows that it began. */
  async #beginLone(batch: readonly PendingDelivery[], delivery: PendingDelivery): Promise<void> {
    const { held, holdings } = this.#parts;
    this.#slots.beginLone(batch);
    const mayBegin = await holdings.begin(delivery).catch(() => null);
    if (mayBegin === true && this.#slots.mayBegin(this.#now()) && !delivery.entry.isGivenUp) this.#hand(batch, [delivery]);
    else {
      this.#permits?.unused();
      if (mayBegin === false) held.lost(delivery.entry);
      else if (!delivery.entry.isGivenUp) this.release([delivery]);
      this.#slots.left(delivery);
      this.#ended(batch);
    }
  }

  #hand(batch: readonly PendingDelivery[], open: readonly PendingDelivery[]): void {
    this.#slots.begin(batch, open);
    for (const delivery of open) {
      delivery.paused = this.#holding.signal;
      delivery.replayedBy = this.#parts.feedback.replayOf(delivery);
    }
    noteBegin(open);
    handOver(this.#parts.handling, open, (outcomes) => this.#handled(batch, outcomes));
  }

  /** The handler of a batch has ended: the slot is free while the outcomes are settled, except that of a lone message. */
  #handled(batch: readonly PendingDelivery[], outcomes: readonly Outcome[]): void {
    const begun = this.#slots.handled(batch);
    const judged = this.#parts.breaker?.judge(begun, outcomes) ?? outcomes;
    let stays = false;
    begun.forEach((delivery, index) => {
      const outcome = judged[index]!;
      if (isHandledHeard()) tellHandled(delivery, outcome, this.#parts.inPlace?.waits(delivery, outcome) ?? null);
      const isSettling = this.#settle(delivery, outcome);
      stays ||= !isSettling;
    });
    if (stays || !this.#slots.keepsSlot(batch)) this.#ended(batch);
  }

  /** @returns false when the message stays here as it is, and Redis is not told */
  #settle(delivery: PendingDelivery, outcome: Outcome): boolean {
    const { inPlace } = this.#parts;
    if (outcome.kind !== 'ack') emitFailure(delivery, outcome, inPlace?.waits(delivery, outcome) ?? null);
    if (this.#settleLater(delivery, inPlace?.keep(delivery, outcome))) return false;
    this.#write(delivery, this.#settlementOf(delivery, outcome));
    return true;
  }

  /** @returns whether it is settled later, or not at all */
  #settleLater(delivery: PendingDelivery, later: Later | undefined): boolean {
    if (!later) return false;
    this.#slots.settling();
    void later.then((settlement) => {
      this.#slots.decided();
      if (settlement) this.#write(delivery, settlement);
      else this.#freed();
    });
    return true;
  }

  #settlementOf(delivery: PendingDelivery, outcome: Outcome): Settlement {
    const settlement = settlementOf(delivery, outcome);
    if (settlement === HANDLED) delivery.dealtWith();
    if (outcome.kind === 'ack' && outcome.forwards) delivery.forwards = outcome.forwards;
    return settlement;
  }

  #write(delivery: PendingDelivery, settlement: Settlement): void {
    this.#slots.settling();
    this.#parts.settler.settle(delivery, settlement, this);
  }
}

/** Aborts when handlers are to be held. As many handlers listen to its signal as there are slots. */
function newHolding(): AbortController {
  const holding = new AbortController();
  setMaxListeners(0, holding.signal);
  return holding;
}
