import type { BatchRule } from '@millrace/core';
import { DeliveryQueue } from './delivery-queue.js';
import type { HandlerQueue } from './handler-queue.js';
import type { PendingDelivery } from './pending-delivery.js';
import { RecentCount } from './recent-count.js';
import { Running } from './running.js';

export interface SlotRules {
  /** Handlers at once. */
  readonly concurrency: number;
  /** How messages are gathered for one call. */
  readonly rule: BatchRule;
  /** Handlers count as stuck when none has ended for so long while all are at work, or while a suspect blocks others. */
  readonly stuckAfterMs: number;
  /** Where messages wait. Default: in the order in which they come. */
  readonly queue?: HandlerQueue | undefined;
  /** Where messages need a permit each to begin: those that there are. */
  readonly permits?: { readonly inHand: number } | undefined;
}

/** The moment of a decision. */
export interface Now {
  /** By the monotonic clock. */
  readonly ms: number;
  /** Whether this member owns all its holdings for sure: only then a message may begin. */
  readonly isSure: boolean;
}

/** No more messages are fetched while so many outcomes wait for Redis. */
const MOST_UNSETTLED = 512;
/** A message that waits longer for a slot goes back: other members may have free slots. */
const OVERDUE_MS = 1_000;
/** Suspects wait longer: they are handled one after the other, here as in other processes. */
const SUSPECT_OVERDUE_MS = 5_000;
/** The messages that were handled in so long a time lately are the number to read ahead, up to a limit. */
const AHEAD_MS = 50;
const MOST_AHEAD = 512;

/**
 * Decides which messages of a subscription may be fetched, begun, kept, put back and given up. It is plain state: it uses no
 * timer, no promise and no Redis, and its callers pass the time.
 */
export class HandlerSlots {
  readonly #rules: SlotRules;
  readonly #queue: HandlerQueue;
  readonly #running: Running;
  readonly #handled = new RecentCount(AHEAD_MS);
  /** Most messages that handlers may have at once. */
  readonly #messages: number;
  /** Messages whose outcomes are on their way to Redis. */
  #unsettled = 0;
  #isPaused = false;
  /** Most messages that handlers may have now, beside the rules. */
  #limit = Infinity;
  /** When to look next for messages that have waited too long; null while none can have. */
  #lookAtMs: number | null = null;
  /** The message at work whose process vanished before: it keeps its slot until it is settled. */
  #lone: readonly PendingDelivery[] | null = null;

  constructor(rules: SlotRules) {
    this.#rules = rules;
    this.#queue = rules.queue ?? new DeliveryQueue(rules.rule);
    this.#running = new Running(rules.concurrency);
    this.#messages = rules.concurrency * rules.rule.size;
  }

  /** Whether no handler is at work, and every outcome is settled. */
  get isIdle(): boolean {
    return this.#running.size + this.#unsettled === 0;
  }

  /** Batches that have a slot. */
  get running(): number {
    return this.#running.size;
  }

  /** Whether a message waits for the lone slot of the process. */
  get wantsLoneSlot(): boolean {
    return this.#queue.wantsLoneSlot;
  }

  /**
   * How many more messages may be fetched. While a batch waits to be begun, a read pays only when many of the places for messages
   * are free.
   */
  room(now: Now): number {
    if (!this.mayBegin(now) || this.#unsettled >= MOST_UNSETTLED) return 0;
    const most = Math.min(this.#limit, this.#most + this.#ahead(now.ms));
    const room = most - this.#inHand;
    return this.#queue.length >= this.#rules.rule.size && room < this.#queue.payingRoom * most ? 0 : room;
  }

  /** A message was fetched. */
  add(delivery: PendingDelivery, nowMs: number): void {
    this.#queue.add(delivery, nowMs);
  }

  /** Whether a message that has a slot may be given to the handler. */
  mayBegin({ isSure }: Now): boolean {
    return !this.#isPaused && isSure;
  }

  /** Whether a batch may be begun, if there is one. */
  canBegin(now: Now): boolean {
    return this.#hasSlot(now) && this.#permits > 0;
  }

  /**
   * How many messages would begin now if there were permits for all.
   *
   * @param mayHaveLoneSlot whether the lone slot of the process is there for one of them; asked when it is known who waits for it
   */
  wanted(now: Now, mayHaveLoneSlot: () => boolean): number {
    if (!this.#hasSlot(now)) return 0;
    const { concurrency, rule } = this.#rules;
    const most = Math.min(this.#limit - this.#running.messages, (concurrency - this.#running.size) * rule.size);
    const ready = this.#queue.readyNow(now.ms);
    return Math.min(most, ready + (mayHaveLoneSlot() ? 1 : 0));
  }

  /** The next batch, which has a slot from now on; empty while none is ready. */
  take(nowMs: number): readonly PendingDelivery[] {
    return this.#withSlot(this.#queue.take(nowMs, this.#permits), nowMs);
  }

  /** Takes a message whose process vanished, alone; the caller has taken the lone slot of the process for it. */
  takeSuspect(nowMs: number): readonly PendingDelivery[] {
    return this.#withSlot(this.#queue.takeSuspect(nowMs), nowMs);
  }

  /** A handler is given these messages of a batch. */
  begin(batch: readonly PendingDelivery[], begun: readonly PendingDelivery[]): void {
    this.#running.begin(batch, begun);
  }

  /** A message whose process vanished is about to begin. */
  beginLone(batch: readonly PendingDelivery[]): void {
    this.#lone = batch;
  }

  /** The handler of a batch has ended. @returns the messages that it was given; none when they were given up before */
  handled(batch: readonly PendingDelivery[]): readonly PendingDelivery[] {
    return this.#running.handled(batch);
  }

  /** Whether a batch whose handler has ended keeps its slot until its outcome is settled. */
  keepsSlot(batch: readonly PendingDelivery[]): boolean {
    return batch === this.#lone;
  }

  /** The batch that has kept its slot until one of these messages was settled; null when there is none. */
  keptFor(items: readonly { readonly delivery: PendingDelivery }[]): readonly PendingDelivery[] | null {
    const lone = this.#lone;
    return lone && items.some(({ delivery }) => delivery === lone[0]) ? lone : null;
  }

  /** A batch gives up its slot. @returns the slot that is free now: nothing when the batch had none any more */
  end(batch: readonly PendingDelivery[]): 'nothing' | 'slot' | 'lone slot' {
    if (!this.#running.end(batch)) return 'nothing';
    if (batch === this.#lone) this.#lone = null;
    return this.#queue.ended(batch) ? 'lone slot' : 'slot';
  }

  /** Another subscription has freed the lone slot of the process. */
  loneSlotFreed(): void {
    this.#queue.suspectEnded();
  }

  /** Messages were handled well, and Redis has stored that. */
  succeeded(count = 1): void {
    this.#handled.add(count);
  }

  /** An outcome is on its way to Redis. */
  settling(): void {
    this.#unsettled += 1;
  }

  /** An outcome that was on its way is to be settled from now on, or needs no settlement. */
  decided(): void {
    this.#unsettled -= 1;
  }

  /** Redis has stored or refused how these messages ended. */
  settled(items: readonly { readonly delivery: PendingDelivery }[]): void {
    this.#unsettled -= items.length;
    for (const { delivery } of items) this.#queue.settled(delivery);
  }

  /** A message that was taken does not begin, and is settled by others: what waits behind it waits no longer. */
  left(delivery: PendingDelivery): void {
    this.#queue.settled(delivery);
  }

  /** Nothing begins from now on. */
  pause(): void {
    this.#isPaused = true;
    this.#lookAtMs = null;
  }

  resume(): void {
    this.#isPaused = false;
  }

  /** Handlers have no more messages than so many at once from now on, or as many as the rules say where that is less. */
  limit(messages: number): void {
    this.#limit = messages;
  }

  /** Takes out all messages that were fetched and not begun. */
  takeWaiting(): PendingDelivery[] {
    return this.#queue.takeAll();
  }

  /** Batches whose handler is at work, with the messages that it was given. */
  atWork(): [batch: readonly PendingDelivery[], begun: readonly PendingDelivery[]][] {
    return this.#running.atWork();
  }

  /** How long until time alone brings a decision; null when it brings none. */
  nextLookInMs(now: Now): number | null {
    if (this.#isPaused) return null;
    this.#watchWaiting(now.ms);
    const readyInMs = this.#readyInMs(now);
    const lateInMs = this.#lookAtMs === null ? null : Math.max(0, this.#lookAtMs - now.ms);
    if (readyInMs === null || lateInMs === null) return readyInMs ?? lateInMs;
    return Math.min(readyInMs, lateInMs);
  }

  /**
   * Takes out the messages that have waited too long, to be put back. Messages that are late show that the handlers have become
   * slower: all that was read ahead goes, and nothing more is read ahead until they are fast again.
   */
  takeOverdue(nowMs: number): PendingDelivery[] {
    if (this.#lookAtMs === null || nowMs < this.#lookAtMs) return [];
    this.#lookAtMs = null;
    const sinceMs = this.#queue.waitsSinceMs;
    const isLate = sinceMs !== null && nowMs - sinceMs >= OVERDUE_MS;
    if (isLate) this.#handled.forget();
    const overFetched = isLate ? this.#queue.takeNewest(this.#inHand - this.#most) : [];
    return [...overFetched, ...this.#queue.takeSuspectsSince(nowMs - SUSPECT_OVERDUE_MS)];
  }

  /** Why the handlers make no progress, or null while they do. */
  problem(nowMs: number): string | null {
    const { concurrency, stuckAfterMs } = this.#rules;
    const fullMs = this.#running.fullMs(nowMs);
    if (fullMs > stuckAfterMs) return `all ${concurrency} handlers have been at work for ${seconds(fullMs)} s and none has ended: give them a timeout`;
    const { count, ms } = this.#queue.blocked(nowMs);
    if (ms <= stuckAfterMs) return null;
    return `a message whose process vanished has been at work for ${seconds(ms)} s and holds up ${count} more like it: give the handler a timeout`;
  }

  get #most(): number {
    return Math.min(this.#limit, this.#messages);
  }

  get #permits(): number {
    return Math.min(this.#rules.permits?.inHand ?? Infinity, this.#limit - this.#running.messages);
  }

  #hasSlot(now: Now): boolean {
    return this.mayBegin(now) && !this.#running.isFull;
  }

  /** A batch that is ready and has no permit begins when one comes, and by no time. */
  #readyInMs(now: Now): number | null {
    const inMs = this.#hasSlot(now) ? this.#queue.readyInMs(now.ms) : null;
    return inMs === 0 && this.#permits <= 0 ? null : inMs;
  }

  /** One message alone shows no pace. */
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

  /** A message that stayed when it was overdue is looked at again later: a batch that is not full yet waits by its own rule. */
  #watchWaiting(nowMs: number): void {
    if (this.#lookAtMs !== null || (this.#inHand <= this.#most && !this.#queue.hasSuspects)) return;
    const lateAtMs = (this.#queue.waitsSinceMs ?? nowMs) + OVERDUE_MS;
    this.#lookAtMs = lateAtMs > nowMs ? lateAtMs : nowMs + OVERDUE_MS;
  }
}

function seconds(ms: number): number {
  return Math.floor(ms / 1_000);
}
