import type { PendingDelivery } from '../consume/pending-delivery.js';
import type { AttemptRecord } from './attempt-record.js';

/** A message, and its crashes with that of the last owner. */
interface Suspect {
  readonly name: string;
  readonly crashes: number;
}

/** A message that is read after a death. */
interface Read {
  readonly delivery: PendingDelivery;
  /** Names its lane among those of the partition. */
  readonly lane: string;
  /** Whether the owner before may have died with it, if it is the first of its lane. */
  readonly mayBeFirst: boolean;
}

/**
 * The messages with which the owner before may have died: the first one of each lane, since a handler can have had no other. Only
 * one that was begun alone is known to have been in the hands of a handler then, so only that one counts more than one crash. A
 * death counts once, however often a message is read.
 */
export class Suspects {
  /** By lane, the first message that has been found since the death. */
  readonly #found = new Map<string, Suspect>();

  /** There is another owner before. */
  clear(): void {
    this.#found.clear();
  }

  /** The message is to have no crashes behind it. */
  beginsAnew(name: string): void {
    for (const [lane, first] of this.#found) if (first.name === name) this.#found.set(lane, { name, crashes: 0 });
  }

  /** @param record what owners have noted of its attempts */
  crashesOf({ delivery, lane, mayBeFirst }: Read, record: AttemptRecord | undefined): number {
    const { name } = delivery;
    const { crashes, isBegun } = record ?? { crashes: delivery.crashes, isBegun: false };
    const withThisOne = crashes === 0 || isBegun ? crashes + 1 : crashes;
    if (mayBeFirst && !this.#found.has(lane)) this.#found.set(lane, { name, crashes: withThisOne });
    const first = this.#found.get(lane);
    return first?.name === name ? first.crashes : crashes;
  }
}
