import type { GroupPartition } from '../consume/group-partition.js';
import type { PendingDelivery } from '../consume/pending-delivery.js';
import { Lane, type LanesOfPartition } from './lane.js';

/** So many lanes without messages are kept at the most: a key that comes again needs no new one. */
const MOST_EMPTY = 512;

/** The lanes of one partition, by their keys. */
export class PartitionLanes implements LanesOfPartition {
  readonly place: GroupPartition;
  readonly #lanes = new Map<string, Lane>();
  /** How many lanes have no message. */
  #empty = 0;
  #waiting = 0;
  /** Who is told once when no more than so many messages wait. */
  #awaited: { readonly most: number; readonly tell: () => void } | null = null;

  constructor(place: GroupPartition) {
    this.place = place;
  }

  /** How many messages wait, those included that may not begin yet. */
  get waiting(): number {
    return this.#waiting;
  }

  /** All messages: those that were taken and are not settled, and those that wait. */
  get all(): PendingDelivery[] {
    return [...this.#lanes.values()].flatMap((lane) => lane.all);
  }

  /** Whether messages were taken and are not settled. */
  get hasTaken(): boolean {
    for (const { busy } of this.#lanes.values()) if (busy) return true;
    return false;
  }

  [Symbol.iterator](): IterableIterator<Lane> {
    return this.#lanes.values();
  }

  laneOf(key: string): Lane {
    const found = this.#lanes.get(key);
    if (found) {
      if (found.isEmpty) this.#empty -= 1;
      return found;
    }
    const lane = new Lane(this, key);
    this.#lanes.set(key, lane);
    return lane;
  }

  emptied(): void {
    this.#empty += 1;
    if (this.#empty <= MOST_EMPTY) return;
    this.#empty = 0;
    for (const [key, lane] of this.#lanes) if (lane.isEmpty) this.#lanes.delete(key);
  }

  count(messages: number): void {
    this.#waiting += messages;
    if (messages <= 0) this.#tellOfRoom();
  }

  whenFewWait(most: number, tell: () => void): void {
    this.#awaited = { most, tell };
  }

  #tellOfRoom(): void {
    const awaited = this.#awaited;
    if (!awaited || this.#waiting > awaited.most) return;
    this.#awaited = null;
    awaited.tell();
  }
}
