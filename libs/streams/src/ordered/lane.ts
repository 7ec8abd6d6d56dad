import type { GroupPartition } from '../consume/group-partition.js';
import type { PendingDelivery } from '../consume/pending-delivery.js';
import { Line } from './line.js';

/** The lanes of one partition, as a lane sees them. */
export interface LanesOfPartition {
  readonly place: GroupPartition;
  /** So many more messages wait, or fewer. */
  count(messages: number): void;
  /** One of them has no message any more. */
  emptied(): void;
}

/** Messages of one key, or of a whole partition: one is handled when the one before it is settled. */
export class Lane {
  readonly partition: LanesOfPartition;
  readonly key: string;
  /** The message that was taken and is not settled. */
  busy: PendingDelivery | null = null;
  /** The message that is taken next. */
  first: PendingDelivery | undefined;
  /** Messages behind that one. Most lanes never have any. */
  #behind: Line<PendingDelivery> | null = null;

  constructor(partition: LanesOfPartition, key: string) {
    this.partition = partition;
    this.key = key;
  }

  get place(): GroupPartition {
    return this.partition.place;
  }

  get isEmpty(): boolean {
    return this.first === undefined && this.busy === null;
  }

  /** All of its messages: the one that was taken, and those that wait. */
  get all(): PendingDelivery[] {
    return [...(this.busy ? [this.busy] : []), ...this.#waiting];
  }

  /** How many messages wait in it. */
  get length(): number {
    return this.first ? 1 + (this.#behind?.length ?? 0) : 0;
  }

  add(delivery: PendingDelivery): void {
    if (!this.first) this.first = delivery;
    else (this.#behind ??= new Line()).add(delivery);
  }

  /** Takes the first message, which is to end before another one begins. */
  take(): PendingDelivery {
    const taken = this.first!;
    this.busy = taken;
    this.first = this.#behind?.take();
    return taken;
  }

  /** Puts a message in front of all that wait, in place of the one that was taken. */
  again(delivery: PendingDelivery): void {
    this.busy = null;
    if (this.first) (this.#behind ??= new Line()).keep(this.#waiting);
    this.first = delivery;
  }

  /** Takes out all that wait. */
  clear(): PendingDelivery[] {
    const waited = this.#waiting;
    this.first = undefined;
    this.#behind = null;
    return waited;
  }

  get #waiting(): PendingDelivery[] {
    return this.first ? [this.first, ...(this.#behind?.all ?? [])] : [];
  }
}
