import { isCancellation } from '../orders/order.js';
import type { OrderPlacement } from '../placement/order-placement.js';
import { poisonHeaders } from '../placement/poison.js';
import type { Batch, Placement } from './replay-plan.js';

/** Publishes the batches of a plan, one after the other, and counts the answers. */
export class Replay {
  /** Orders that were stored. */
  placed = 0;
  /** Cancellations that were stored. */
  cancelled = 0;
  /** Publishes that were answered as duplicates. */
  duplicates = 0;
  readonly #batches: readonly Batch[];
  readonly #placement: OrderPlacement;
  #next = 0;

  constructor(batches: readonly Batch[], placement: OrderPlacement) {
    this.#batches = batches;
    this.#placement = placement;
  }

  get published(): number {
    return this.placed + this.cancelled;
  }

  /** The deliveries of the stored messages: inventory gets every message, notifications the orders alone. */
  get deliveries(): number {
    return this.published + this.placed;
  }

  /** Batches that wait to be published. */
  get remaining(): number {
    return this.#batches.length - this.#next;
  }

  async publishNext(): Promise<void> {
    const batch = this.#batches[this.#next] ?? [];
    await Promise.all(batch.map((placement) => this.place(placement)));
    this.#next += 1;
  }

  async place({ order, poison }: Placement): Promise<void> {
    const { duplicate } = await this.#placement.place(order, poison ? poisonHeaders : {});
    if (duplicate) this.duplicates += 1;
    else if (isCancellation(order)) this.cancelled += 1;
    else this.placed += 1;
  }
}
