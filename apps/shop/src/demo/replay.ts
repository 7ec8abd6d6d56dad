import { asError } from '@millrace/core';
import { isCancellation } from '../orders/order.js';
import { NotPlacedError, type OrderPlacement } from '../placement/order-placement.js';
import { poisonHeaders } from '../placement/poison.js';
import type { Batch, Placement } from './replay-plan.js';

/** The state of a replay at one moment. */
export type ReplayState = Readonly<Pick<Replay, 'placed' | 'published' | 'deliveries' | 'duplicates' | 'remaining'>>;

/** Places the batches of a plan, one after the other, and counts the answers. */
export class Replay {
  /** Orders that were placed. */
  placed = 0;
  /** Cancellations that were placed. */
  cancelled = 0;
  /** Requests that were answered as duplicates. */
  duplicates = 0;
  /** Invoice -> why it was not placed. */
  readonly failures = new Map<string, string>();
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

  /** The deliveries of their messages: inventory gets every message, notifications the orders alone. */
  get deliveries(): number {
    return this.published + this.placed;
  }

  /** Batches that wait to be published, the one that is being published among them. */
  get remaining(): number {
    return this.#batches.length - this.#next;
  }

  get state(): ReplayState {
    const { placed, published, deliveries, duplicates, remaining } = this;
    return { placed, published, deliveries, duplicates, remaining };
  }

  async publishNext(): Promise<void> {
    const batch = this.#batches[this.#next] ?? [];
    await Promise.all(batch.map((placement) => this.place(placement)));
    this.#next += 1;
  }

  /** An invoice that cannot be placed is noted among the failures. */
  async place({ order, poison }: Placement): Promise<void> {
    try {
      const { duplicate } = await this.#placement.place(order, poison ? poisonHeaders : {});
      if (duplicate) this.duplicates += 1;
      else if (isCancellation(order)) this.cancelled += 1;
      else this.placed += 1;
    } catch (thrown) {
      if (!(thrown instanceof NotPlacedError)) throw thrown;
      this.failures.set(thrown.invoice, asError(thrown.cause).message);
    }
  }
}
