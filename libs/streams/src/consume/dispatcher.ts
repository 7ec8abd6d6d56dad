import { setMaxListeners } from 'node:events';
import type { BatchRule, Outcome } from '@millrace/core';
import { tellOfFailure } from './failure-events.js';
import type { GroupPartition } from './group-partition.js';
import type { Handling } from './handling.js';
import type { HeldEntries } from './held-entries.js';
import type { HeldEntry } from './held-entry.js';
import type { LoneSlot } from './lone-slot.js';
import type { Permits } from './permits.js';
import { RecentCount } from './recent-count.js';
import { Running } from './running.js';
import { releaseOf, type Settlement, settlementOf, unhandledOutcome } from './settlement.js';
import type { Settler } from './settler.js';
import type { Item, Settling } from './settling.js';
import { outcomeWithoutHandler, type WithoutHandler } from './without-handler.js';
import { WorkQueue } from './work-queue.js';
import type { Work } from './work.js';

export interface DispatcherParts extends WithoutHandler {
  readonly handling: Handling;
  readonly settler: Settler;
  readonly held: HeldEntries;
  /** The one place of the process for messages whose process vanished. */
  readonly loneSlot: LoneSlot;
  /** Marks that such a message is about to be handled; false when it is not this member's any more. */
  readonly begin: (entry: HeldEntry) => Promise<boolean>;
  /** Handlers at once. */
  readonly concurrency: number;
  /** All handlers at work for so long, without one ending, are stuck; so is one that others must wait for. */
  readonly stuckAfterMs: number;
  /** The number of the seek by which the group is given the message again; null when it did not ask for it. */
  readonly replayOf: (work: Work) => number | null;
  /** Of the rate limit, where there is one. */
  readonly permits?: Permits | undefined;
  /** Called when a message of this partition has been scheduled for another attempt. */
  readonly retryScheduled: (partition: GroupPartition) => void;
  /** Called when a message has become a dead letter. */
  readonly deadLettered: () => void;
  /** Called when a message goes back to the group because there was no slot, or no permit, for it. */
  readonly gaveBack: (work: Work) => void;
}

const ONE_BY_ONE: BatchRule = { size: 1, waitMs: 0 };
const NOTHING: readonly Work[] = [];
/** While so many outcomes wait for Redis to take them, no more messages are fetched. */
const MOST_UNSETTLED = 512;
/** What waits for a slot for so long goes back: others may have slots. */
const PATIENCE_MS = 1_000;
/** One after the other takes its time, here and with others. */
const LONE_PATIENCE_MS = 5_000;
/** As many messages are read ahead as were handled in this time lately, and no more than so many. */
const AHEAD_MS = 50;
const MOST_AHEAD = 512;

/** Hands messages to the handler, as many batches at once as there are slots, and has their outcomes settled. */
export class Dispatcher implements Settling {
  readonly #parts: DispatcherParts;
  readonly #queue: WorkQueue;
  readonly #batchSize: number;
  /** Messages that may be in the hands of handlers. */
  readonly #slots: number;
  readonly #running: Running;
  readonly #handled = new RecentCount(AHEAD_MS);
  /** Messages whose outcomes Redis has not taken yet. */
  #unsettled = 0;
  /** Of a message whose process vanished: it has its place until it is settled. */
  #lone: readonly Work[] = NOTHING;
  #paused = false;
  #isStarting = false;
  /** Aborted while it is paused. */
  #holding = newHolding();
  #timer: NodeJS.Timeout | undefined;
  #patience: NodeJS.Timeout | undefined;
  #onFree: (() => void) | null = null;
  /** Called when something has ended. */
  readonly #onEnd: (() => void)[] = [];

  constructor(parts: DispatcherParts) {
    const { concurrency, loneSlot, handling } = parts;
    const rule = handling.rule ?? ONE_BY_ONE;
    this.#parts = parts;
    this.#queue = new WorkQueue({ rule, loneSlot, onReady: () => this.#startNext() });
    this.#running = new Running(concurrency);
    this.#batchSize = rule.size;
    this.#slots = concurrency * rule.size;
  }

  /** How many more messages may be fetched. */
  get freeSlots(): number {
    return Math.max(0, Math.min(this.#room, this.#parts.permits?.inHand ?? Infinity));
  }

  /** How long a read may wait for messages: permits must not be held for long while others could use them. */
  get longestWaitMs(): number {
    return this.#parts.permits?.holdMs ?? Infinity;
  }

  /** While a batch waits to be begun, it is worth a read only when half of what may be in hand is free. */
  get #room(): number {
    if (!this.#mayStart || this.#unsettled >= MOST_UNSETTLED) return 0;
    const most = this.#slots + this.#ahead;
    const room = most - this.#inHand;
    return this.#queue.length >= this.#batchSize && room * 2 < most ? 0 : room;
  }

  get #ahead(): number {
    return Math.min(MOST_AHEAD, this.#handled.of(performance.now()));
  }

  get #inHand(): number {
    return this.#running.messages + this.#queue.length;
  }

  get #mayStart(): boolean {
    return !this.#paused && this.#parts.held.isSure;
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
   * Resolves when there is room for messages, and a permit for one where there is a rate limit, or when the signal aborts. It
   * rejects when Redis does not say whether there is a permit.
   */
  async whenFree(signal: AbortSignal): Promise<void> {
    const wake = (): void => this.#onFree?.();
    signal.addEventListener('abort', wake);
    while (this.#room <= 0 && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#onFree = resolve;
      });
    }
    this.#onFree = null;
    signal.removeEventListener('abort', wake);
    if (!signal.aborted) await this.#parts.permits?.some(this.#room, signal);
  }

  add(work: readonly Work[]): void {
    const nowMs = performance.now();
    for (const item of work) {
      const outcome = outcomeWithoutHandler(item, this.#parts);
      if (outcome) this.#settle(item, outcome);
      else this.#enqueue(item, nowMs);
    }
    this.#startNext();
  }

  #enqueue(work: Work, nowMs: number): void {
    const { permits } = this.#parts;
    if (!permits || permits.use()) this.#queue.add(work, nowMs);
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
    clearTimeout(this.#patience);
    this.#patience = undefined;
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
    while (this.#running.size + this.#unsettled > 0) await new Promise<void>((resolve) => this.#onEnd.push(resolve));
  }

  /**
   * Waits for handlers no longer, and starts none: what they are at work on goes back to the group at once, uncounted, and
   * what they say later counts for nothing.
   */
  giveUp(): void {
    this.pause();
    for (const [batch, begun] of this.#running.atWork()) {
      this.release(begun);
      this.#ended(batch);
    }
  }

  /** Gives messages back to the group at once, without counting an attempt. */
  release(work: readonly Work[]): void {
    for (const item of work) this.#write(item, releaseOf(item));
  }

  settled(items: readonly Item[]): void {
    this.#unsettled -= items.length;
    const [{ work, settlement }] = items as [Item];
    if (settlement[0] === 'retry') this.#parts.retryScheduled(work.entry.stream.partition);
    if (settlement[0] === 'dead') this.#parts.deadLettered();
    if (work === this.#lone[0]) this.#ended(this.#lone);
    else this.#freed();
  }

  #startNext(): void {
    // What ends while others are begun is seen by the one that begins them.
    if (this.#isStarting) return;
    this.#isStarting = true;
    this.#start();
    this.#isStarting = false;
    this.#watchWaiting();
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
      this.#begin(batch);
    }
  }

  #startWhenReady(): void {
    const waitMs = this.#queue.readyInMs();
    if (waitMs !== null) this.#timer = setTimeout(() => this.#startNext(), waitMs);
  }

  /** Looks again when what waits longest has waited too long. */
  #watchWaiting(): void {
    if (this.#paused || this.#patience || (this.#inHand <= this.#slots && !this.#queue.hasSuspects)) return;
    const nowMs = performance.now();
    const leftMs = (this.#queue.waitsSinceMs ?? nowMs) + PATIENCE_MS - nowMs;
    // What is late already was looked at, and may stay: a batch that is not full yet waits by its own rule.
    this.#patience = setTimeout(() => this.#endPatience(), leftMs > 0 ? leftMs : PATIENCE_MS);
  }

  /** Handlers that are slower than they were: what was read for them goes back, and no more is read ahead until they are not. */
  #endPatience(): void {
    this.#patience = undefined;
    const nowMs = performance.now();
    const sinceMs = this.#queue.waitsSinceMs;
    if (sinceMs !== null && nowMs - sinceMs >= PATIENCE_MS) {
      this.#handled.forget();
      this.#giveBack(this.#queue.takeNewest(this.#inHand - this.#slots));
    }
    this.#giveBack(this.#queue.takeSuspectsSince(nowMs - LONE_PATIENCE_MS));
    this.#watchWaiting();
  }

  #giveBack(work: readonly Work[]): void {
    for (const item of work) this.#parts.gaveBack(item);
    this.release(work);
  }

  #ended(batch: readonly Work[]): void {
    if (!this.#running.end(batch)) return;
    if (batch === this.#lone) this.#lone = NOTHING;
    this.#queue.ended(batch);
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
    else if (first.crashes > 0) void this.#beginMarked(batch, first);
    else this.#hand(batch, open);
  }

  #mayBegin(work: Work): boolean {
    if (work.entry.isGivenUp) return false;
    const outcome = outcomeWithoutHandler(work, this.#parts);
    if (outcome) this.#settle(work, outcome);
    return outcome === null;
  }

  /** A message whose process vanished is marked first: should this one vanish too, that tells that it was at work on it. */
  async #beginMarked(batch: readonly Work[], work: Work): Promise<void> {
    this.#lone = batch;
    const mayBegin = await this.#parts.begin(work.entry).catch(() => null);
    if (mayBegin === true && this.#mayStart && !work.entry.isGivenUp) this.#hand(batch, [work]);
    else {
      if (mayBegin === false) this.#parts.held.lost(work.entry);
      else if (!work.entry.isGivenUp) this.release([work]);
      this.#ended(batch);
    }
  }

  #hand(batch: readonly Work[], open: readonly Work[]): void {
    this.#running.begin(batch, open);
    if (this.#parts.handling.rule) void this.#handTogether(open).then((outcomes) => this.#end(batch, outcomes));
    else this.#handOne(batch, open[0]!);
  }

  #handOne(batch: readonly Work[], work: Work): void {
    const { handler } = this.#parts.handling as Extract<Handling, { rule: null }>;
    this.#prepare(work);
    handler(work).then(
      (outcome) => this.#end(batch, [outcome]),
      (thrown: unknown) => this.#end(batch, [defect(thrown)]),
    );
  }

  async #handTogether(open: readonly Work[]): Promise<readonly Outcome[]> {
    const { handler } = this.#parts.handling as Extract<Handling, { rule: BatchRule }>;
    for (const work of open) this.#prepare(work);
    return handler(open).catch((thrown: unknown) => open.map(() => defect(thrown)));
  }

  #prepare(work: Work): void {
    work.heldUp = this.#holding.signal;
    work.replayedBy = this.#parts.replayOf(work);
  }

  /** The handler has ended: its slot is free, and the outcomes are settled meanwhile. */
  #end(batch: readonly Work[], outcomes: readonly Outcome[]): void {
    const begun = this.#running.handled(batch);
    begun.forEach((work, index) => this.#settle(work, outcomes[index] ?? defect('The handler has no outcome for it.')));
    if (batch !== this.#lone) this.#ended(batch);
  }

  #settle(work: Work, outcome: Outcome): void {
    if (outcome.kind === 'ack') this.#handled.add();
    else tellOfFailure(work, outcome);
    this.#write(work, settlementOf(work, outcome));
  }

  #write(work: Work, settlement: Settlement): void {
    this.#unsettled += 1;
    this.#parts.settler.settle(work, settlement, this);
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
