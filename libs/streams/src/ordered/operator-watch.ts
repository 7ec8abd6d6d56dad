import { setTimeout } from 'node:timers/promises';
import type { GroupPartition } from '../consume/group-partition.js';
import { type OwnerNotes, reportLoop } from './owner-notes.js';
import type { ParkedState } from './parked-keys.js';

/** The pause before Redis is asked again, after a failure. */
const PAUSE_MS = 1_000;

/** The partition that an operator may change. */
export interface OperatorsPartition {
  readonly place: GroupPartition;
  /** For what it waits; null while that is for nothing, or notes are on their way. */
  readonly waits: () => 'stopped' | 'parked' | null;
  /** The states of keys: some were released. */
  readonly released: (keys: ReadonlyMap<string, ParkedState>) => void;
  /** It has stopped, and may go on. */
  readonly goesOn: () => void;
}

/**
 * Looks what an operator has ordered for a partition, when somebody has rung. Most rings are about something else, so it compares
 * the number of the last order first.
 */
export class OperatorWatch {
  readonly #notes: Pick<OwnerNotes, 'orders' | 'releasedBy'>;
  readonly #partition: OperatorsPartition;
  /** The number of the last order that this member knows of. */
  #order = '';
  #isRung = false;
  #isLooking = false;
  /** Grows when all is read anew: what was asked before is void. */
  #round = 0;

  constructor(notes: Pick<OwnerNotes, 'orders' | 'releasedBy'>, partition: OperatorsPartition) {
    this.#notes = notes;
    this.#partition = partition;
  }

  /** Somebody has rung. */
  rung(): void {
    this.#isRung = true;
    this.waits();
  }

  /** The partition may wait for an operator by now, who may have been quicker. */
  waits(): void {
    if (!this.#isLooking) void this.#look();
  }

  /** All is read anew from now on. */
  restarted(): void {
    this.#round += 1;
  }

  /** The notes of the partition are read, up to this order. */
  learned(order: string): void {
    this.#order = order;
    this.waits();
  }

  /** It never rejects. A ring is kept until the partition waits for what it may be about; those that come meanwhile are one. */
  async #look(): Promise<void> {
    this.#isLooking = true;
    while (this.#isRung && this.#partition.waits() !== null) {
      this.#isRung = false;
      try {
        await this.#lookOnce();
      } catch (error) {
        reportLoop(this.#partition.place, error);
        this.#isRung = true;
        await setTimeout(PAUSE_MS, undefined, { ref: false });
      }
    }
    this.#isLooking = false;
  }

  async #lookOnce(): Promise<void> {
    const { place, waits, released, goesOn } = this.#partition;
    const round = this.#round;
    const { order, isStopped } = await this.#notes.orders(place);
    if (order === this.#order && round === this.#round) return;
    const keys = waits() === 'parked' ? await this.#notes.releasedBy(place, this.#order, order) : null;
    const isVoid = round !== this.#round || (keys === null && waits() !== 'stopped');
    if (isVoid) this.#isRung = true;
    else {
      this.#order = order;
      if (keys) released(keys);
      // An order for a key lets no partition go on.
      else if (!isStopped) goesOn();
    }
  }
}
