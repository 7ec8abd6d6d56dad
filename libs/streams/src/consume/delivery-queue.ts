import type { BatchRule } from '@millrace/core';
import type { HandlerQueue } from './handler-queue.js';
import type { PendingDelivery } from './pending-delivery.js';

/** Messages that wait for a handler, in the batches in which they will be handed over. */
export class DeliveryQueue implements HandlerQueue {
  readonly payingRoom = 0.5;
  readonly #rule: BatchRule;
  #together: PendingDelivery[] = [];
  /** Index of the first message of `together` that was not taken yet. */
  #first = 0;
  /** Messages whose process vanished. Each is handled alone, as it may be the one that takes processes down. */
  #suspects: PendingDelivery[] = [];
  /** The suspect that was taken and has not ended. */
  #suspect: PendingDelivery | undefined;
  /** Since when suspects wait for another one to end; null while none waits. */
  #blockedSinceMs: number | null = null;

  constructor(rule: BatchRule) {
    this.#rule = rule;
  }

  get length(): number {
    return this.#waiting + this.#suspects.length;
  }

  add(delivery: PendingDelivery, nowMs: number): void {
    delivery.waitsSince = nowMs;
    if (delivery.crashes > 0) this.#suspects.push(delivery);
    else this.#together.push(delivery);
  }

  blocked(nowMs: number): { readonly count: number; readonly ms: number } {
    const sinceMs = this.#blockedSinceMs;
    return sinceMs === null ? { count: 0, ms: 0 } : { count: this.#suspects.length, ms: nowMs - sinceMs };
  }

  get hasSuspects(): boolean {
    return this.#suspects.length > 0;
  }

  get wantsLoneSlot(): boolean {
    return this.hasSuspects && !this.#suspect;
  }

  takeSuspect(nowMs: number): PendingDelivery[] {
    const taken = this.#suspects.splice(0, 1);
    [this.#suspect] = taken;
    this.#noteBlocked(nowMs);
    return taken;
  }

  take(nowMs: number, most = Infinity): PendingDelivery[] {
    this.#noteBlocked(nowMs);
    return this.readyInMs(nowMs) === 0 ? this.#takeOldest(Math.min(this.#rule.size, most)) : [];
  }

  suspectEnded(): void {
    this.#blockedSinceMs = null;
  }

  ended([first]: readonly PendingDelivery[]): boolean {
    if (!this.#suspect || first !== this.#suspect) return false;
    this.#suspect = undefined;
    this.suspectEnded();
    return true;
  }

  settled(): void {
    // No message waits for another one to be settled.
  }

  get waitsSinceMs(): number | null {
    return this.#together[this.#first]?.waitsSince ?? null;
  }

  readyInMs(nowMs: number): number | null {
    if (this.#waiting >= this.#rule.size) return 0;
    const sinceMs = this.waitsSinceMs;
    return sinceMs === null ? null : Math.max(0, Math.ceil(sinceMs + this.#rule.waitMs - nowMs));
  }

  readyNow(nowMs: number): number {
    return this.readyInMs(nowMs) === 0 ? this.#waiting : 0;
  }

  takeSuspectsSince(momentMs: number): PendingDelivery[] {
    const taken = this.#suspects.filter(({ waitsSince }) => waitsSince <= momentMs);
    this.#suspects = this.#suspects.filter(({ waitsSince }) => waitsSince > momentMs);
    return taken;
  }

  takeNewest(count: number): PendingDelivery[] {
    return this.#together.splice(Math.max(this.#first, this.#together.length - count));
  }

  takeAll(): PendingDelivery[] {
    this.#blockedSinceMs = null;
    return [...this.#suspects.splice(0), ...this.#takeOldest(this.#waiting)];
  }

  get #waiting(): number {
    return this.#together.length - this.#first;
  }

  #noteBlocked(nowMs: number): void {
    this.#blockedSinceMs = this.hasSuspects ? (this.#blockedSinceMs ?? nowMs) : null;
  }

  /** To cut an array at its beginning copies it, so it is done seldom. */
  #takeOldest(count: number): PendingDelivery[] {
    const taken = this.#together.slice(this.#first, this.#first + count);
    this.#first += taken.length;
    if (this.#first * 2 >= this.#together.length) {
      this.#together = this.#together.slice(this.#first);
      this.#first = 0;
    }
    return taken;
  }
}
