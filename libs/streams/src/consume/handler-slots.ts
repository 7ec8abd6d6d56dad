import type { BatchRule } from '@millrace/core';
import { DeliveryQueue } from './delivery-queue.js';
import type { PendingDelivery } from './pending-delivery.js';
import { RecentCount } from './recent-count.js';
import { Running } from './running.js';

export interface SlotRules {
  /** Handlers at once. */
  readonly concurrency: number;
  /** How messages are gathered for one call. */
  readonly rule: BatchRule;
  /** All handlers at work for so long, without one ending, are stuck; so is one that others must wait for. */
  readonly stuckAfterMs: number;
}

/** The moment of a decision. */
export interface Now {
  /** By the monotonic clock. */
  readonly ms: number;
  /** Whether all that is held is this member's for sure: only then anything may begin. */
  readonly isSure: boolean;
}

/** While so many outcomes wait for Redis to take them, no more messages are fetched. */
const MOST_UNSETTLED = 512;
/** What waits for a slot for so long goes back: others may have slots. */
const OVERDUE_MS = 1_000;
/** One after the other takes its time, here and with others. */
const SUSPECT_OVERDUE_MS = 5_000;
/** As many messages are read ahead as were handled in this time lately, and no more than so many. */
const AHEAD_MS = 50;
const MOST_AHEAD = 512;

/**
 * Decides which messages of a subscription may be fetched, begun, kept, put back and given up. It is plain state: it knows no
 * timer, no promise and no Redis, and is told what time it is.
 */
export class HandlerSlots {
  readonly #rules: SlotRules;
  readonly #queue: DeliveryQueue;
  readonly #running: Running;
  readonly #handled = new RecentCount(AHEAD_MS);
  /** Messages that may be in the hands of handlers. */
  readonly #messages: number;
  /** Messages whose outcomes Redis has not taken yet. */
  #unsettled = 0;
  #isPaused = false;
  /** When to look next whether something has waited for too long; null while nothing can. */
  #lookAtMs: number | null = null;
  /** A message whose process vanished, with its place: it has that until it is settled. */
  #lone: readonly PendingDelivery[] | null = null;

  constructor(rules: SlotRules) {
    this.#rules = rules;
    this.#queue = new DeliveryQueue(rules.rule);
    this.#running = new Running(rules.concurrency);
    this.#messages = rules.concurrency * rules.rule.size;
  }

  /** Whether no handler is at work, and every outcome is settled. */
  get isIdle(): boolean {
    return this.#running.size + this.#unsettled === 0;
  }

  /** Whether something waits for the one place that the process has for messages whose process vanished. */
  get wantsLoneSlot(): boolean {
    return this.#queue.wantsLoneSlot;
  }

  /**
   * How many more messages may be fetched. While a batch waits to be begun, a read is worth it only when half of what may be in
   * hand is free.
   */
  room(now: Now): number {
    if (!this.mayBegin(now) || this.#unsettled >= MOST_UNSETTLED) return 0;
    const most = this.#messages + this.#ahead(now.ms);
    const room = most - this.#inHand;
    return this.#queue.length >= this.#rules.rule.size && room * 2 < most ? 0 : room;
  }

  /** A message was fetched. */
  add(delivery: PendingDelivery, nowMs: number): void {
    this.#queue.add(delivery, nowMs);
  }

  /** Whether something that has its slot may be handed over. */
  mayBegin({ isSure }: Now): boolean {
    return !this.#isPaused && isSure;
  }

  /** Whether a batch may be begun, if there is one. */
  canBegin(now: Now): boolean {
    return this.mayBegin(now) && !this.#running.isFull;
  }

  /** The next batch, which has a slot from now on; empty while none is ready. */
  take(nowMs: number): readonly PendingDelivery[] {
    return this.#withSlot(this.#queue.take(nowMs), nowMs);
  }

  /** A message whose process vanished, alone: the one place for them in the process is the caller's. */
  takeSuspect(nowMs: number): readonly PendingDelivery[] {
    return this.#withSlot(this.#queue.takeSuspect(nowMs), nowMs);
  }

  /** A handler is given these of a batch. */
  begin(batch: readonly PendingDelivery[], begun: readonly PendingDelivery[]): void {
    this.#running.begin(batch, begun);
  }

  /** A message whose process vanished is about to begin. */
  beginLone(batch: readonly PendingDelivery[]): void {
    this.#lone = batch;
  }

  /** The handler of a batch has ended. @returns what it was given: nothing when that was given up before */
  handled(batch: readonly PendingDelivery[]): readonly PendingDelivery[] {
    return this.#running.handled(batch);
  }

  /** Whether a batch whose handler has ended has its slot until its outcome is settled. */
  keepsSlot(batch: readonly PendingDelivery[]): boolean {
    return batch === this.#lone;
  }

  /** The batch that had its slot until this was settled; null when there is none. */
  keptFor(delivery: PendingDelivery): readonly PendingDelivery[] | null {
    return this.#lone && this.#lone[0] === delivery ? this.#lone : null;
  }

  /** A batch takes no slot any more. @returns what is free by that: nothing when it took none already */
  end(batch: readonly PendingDelivery[]): 'nothing' | 'slot' | 'lone slot' {
    if (!this.#running.end(batch)) return 'nothing';
    if (batch === this.#lone) this.#lone = null;
    return this.#queue.ended(batch) ? 'lone slot' : 'slot';
  }

  /** The lone slot of the process was freed by another subscription. */
  loneSlotFreed(): void {
    this.#queue.suspectEnded();
  }

  /** Messages were handled as they should be, and Redis knows. */
  succeeded(count = 1): void {
    this.#handled.add(count);
  }

  /** An outcome is on its way to Redis. */
  settling(): void {
    this.#unsettled += 1;
  }

  settled(count: number): void {
    this.#unsettled -= count;
  }

  /** Nothing begins from now on. */
  pause(): void {
    this.#isPaused = true;
    this.#lookAtMs = null;
  }

  resume(): void {
    this.#isPaused = false;
  }

  /** What was fetched and was not begun. */
  takeWaiting(): PendingDelivery[] {
    return this.#queue.takeAll();
  }

  /** Batches whose handler is at work, with what it was given. */
  atWork(): [batch: readonly PendingDelivery[], begun: readonly PendingDelivery[]][] {
    return this.#running.atWork();
  }

  /** How long until something is to be decided though nothing happens; null when nothing is. */
  nextLookInMs(now: Now): number | null {
    if (this.#isPaused) return null;
    this.#watchWaiting(now.ms);
    const readyInMs = this.canBegin(now) ? this.#queue.readyInMs(now.ms) : null;
    const lateInMs = this.#lookAtMs === null ? null : Math.max(0, this.#lookAtMs - now.ms);
    if (readyInMs === null || lateInMs === null) return readyInMs ?? lateInMs;
    return Math.min(readyInMs, lateInMs);
  }

  /**
   * What has waited for too long, and is to be put back. Handlers that are slower than they were: what was read ahead for them
   * goes, and no more is read ahead until they are not.
   */
  takeOverdue(nowMs: number): PendingDelivery[] {
    if (this.#lookAtMs === null || nowMs < this.#lookAtMs) return [];
    this.#lookAtMs = null;
    const sinceMs = this.#queue.waitsSinceMs;
    const isLate = sinceMs !== null && nowMs - sinceMs >= OVERDUE_MS;
    if (isLate) this.#handled.forget();
    const overFetched = isLate ? this.#queue.takeNewest(this.#inHand - this.#messages) : [];
    return [...overFetched, ...this.#queue.takeSuspectsSince(nowMs - SUSPECT_OVERDUE_MS)];
  }

  /** Why no handler gets on, or null while they do. */
  problem(nowMs: number): string | null {
    const { concurrency, stuckAfterMs } = this.#rules;
    const fullMs = this.#running.fullMs(nowMs);
    if (fullMs > stuckAfterMs) return `all ${concurrency} handlers have been at work for ${seconds(fullMs)} s and none has ended: give them a timeout`;
    const { count, ms } = this.#queue.blocked(nowMs);
    if (ms <= stuckAfterMs) return null;
    return `a message whose process vanished has been at work for ${seconds(ms)} s and holds up ${count} more like it: give the handler a timeout`;
  }

  /** One message alone tells no pace. */
  #ahead(nowMs: number): number {
    const handled = this.#handled.of(nowMs);
    return handled > 1 ? Math.min(MOST_AHEAD, handled) : 0;
  }

  get #inHand(): number {
    return this.#running.messages + this.#queue.length;
  }

  #withSlot(batch: readonly PendingDelivery[], nowMs: number): readonly PendingDelivery[] {
    if (batch.length > 0) this.#running.add(batch, nowMs);
    return batch;
  }

  /** Once what waits longest has waited too long, it may stay: a batch that is not full yet waits by its own rule. */
  #watchWaiting(nowMs: number): void {
    if (this.#lookAtMs !== null || (this.#inHand <= this.#messages && !this.#queue.hasSuspects)) return;
    const lateAtMs = (this.#queue.waitsSinceMs ?? nowMs) + OVERDUE_MS;
    this.#lookAtMs = lateAtMs > nowMs ? lateAtMs : nowMs + OVERDUE_MS;
  }
}

function seconds(ms: number): number {
  return Math.floor(ms / 1_000);
}
