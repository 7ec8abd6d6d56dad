import type { GroupPartition } from '../consume/group-partition.js';
import type { PendingDelivery } from '../consume/pending-delivery.js';
import { Lane } from './lane.js';

/** The lanes of one partition that have messages, by their keys. */
export class PartitionLanes {
  readonly place: GroupPartition;
  readonly #lanes = new Map<string, Lane>();
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
    if (found) return found;
    const lane = new Lane(this.place, key);
    this.#lanes.set(key, lane);
    return lane;
  }

  /** The lane has no message any more. */
  forget(lane: Lane): void {
    if (this.#lanes.get(lane.key) === lane) this.#lanes.delete(lane.key);
  }

  /** So many more messages wait, or fewer. */
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
