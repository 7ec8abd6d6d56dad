import type { GroupPartition } from '../consume/group-partition.js';
import type { PendingDelivery } from '../consume/pending-delivery.js';

/** Messages of one key, or of a whole partition: one is handled when the one before it is settled. */
export class Lane {
  readonly place: GroupPartition;
  readonly key: string;
  /** The message that was taken and is not settled. */
  busy: PendingDelivery | null = null;
  readonly #waiting: PendingDelivery[] = [];
  /** Index of the first message that waits. */
  #first = 0;

  constructor(place: GroupPartition, key: string) {
    this.place = place;
    this.key = key;
  }

  get first(): PendingDelivery | undefined {
    return this.#waiting[this.#first];
  }

  /** All of its messages: the one that was taken, and those that wait. */
  get all(): PendingDelivery[] {
    return [...(this.busy ? [this.busy] : []), ...this.#waiting.slice(this.#first)];
  }

  /** How many messages wait in it. */
  get length(): number {
    return this.#waiting.length - this.#first;
  }

  add(delivery: PendingDelivery): void {
    this.#waiting.push(delivery);
  }

  /** Takes the first message, which is to end before another one begins. */
  take(): PendingDelivery {
    const taken = this.first!;
    this.#first += 1;
    if (this.#first === this.#waiting.length) this.clear();
    this.busy = taken;
    return taken;
  }

  /** Puts a message in front of all that wait, in place of the one that was taken. */
  again(delivery: PendingDelivery): void {
    this.busy = null;
    this.#waiting.splice(0, this.#first, delivery);
    this.#first = 0;
  }

  /** Takes out all that wait. */
  clear(): PendingDelivery[] {
    const waited = this.#waiting.splice(this.#first);
    this.#waiting.length = 0;
    this.#first = 0;
    return waited;
  }
}
