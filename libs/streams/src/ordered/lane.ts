import type { GroupPartition } from '../consume/group-partition.js';
import type { PendingDelivery } from '../consume/pending-delivery.js';

const NONE: PendingDelivery[] = [];
/** So many messages that were taken are kept in memory at the most, beside as many as wait. */
const MOST_TAKEN = 64;

/** Messages of one key, or of a whole partition: one is handled when the one before it is settled. */
export class Lane {
  readonly place: GroupPartition;
  readonly key: string;
  /** The message that was taken and is not settled. */
  busy: PendingDelivery | null = null;
  /** The message that is taken next. */
  first: PendingDelivery | undefined;
  /** Messages behind that one, from an index on. Most lanes have none. */
  #behind = NONE;
  #next = 0;

  constructor(place: GroupPartition, key: string) {
    this.place = place;
    this.key = key;
  }

  /** All of its messages: the one that was taken, and those that wait. */
  get all(): PendingDelivery[] {
    return [...(this.busy ? [this.busy] : []), ...this.#waiting];
  }

  /** How many messages wait in it. */
  get length(): number {
    return this.first ? 1 + this.#behind.length - this.#next : 0;
  }

  add(delivery: PendingDelivery): void {
    if (!this.first) this.first = delivery;
    else if (this.#behind === NONE) this.#behind = [delivery];
    else this.#behind.push(delivery);
  }

  /** Takes the first message, which is to end before another one begins. */
  take(): PendingDelivery {
    const taken = this.first!;
    this.busy = taken;
    this.first = this.#behind[this.#next];
    if (this.first) this.#next += 1;
    if (this.#next > MOST_TAKEN && this.#next * 2 > this.#behind.length) this.#put(this.#behind.slice(this.#next));
    return taken;
  }

  /** Puts a message in front of all that wait, in place of the one that was taken. */
  again(delivery: PendingDelivery): void {
    this.busy = null;
    this.#put(this.#waiting);
    this.first = delivery;
  }

  /** Takes out all that wait. */
  clear(): PendingDelivery[] {
    const waited = this.#waiting;
    this.first = undefined;
    this.#put(NONE);
    return waited;
  }

  get #waiting(): PendingDelivery[] {
    return this.first ? [this.first, ...this.#behind.slice(this.#next)] : [];
  }

  #put(behind: PendingDelivery[]): void {
    this.#behind = behind.length > 0 ? behind : NONE;
    this.#next = 0;
  }
}
