import type { GroupPartition } from '../consume/group-partition.js';
import type { HeldEntries } from '../consume/held-entries.js';
import type { OpenedEntry, PendingDelivery } from '../consume/pending-delivery.js';
import type { Settler } from '../consume/settler.js';
import type { LaneQueue } from './lane-queue.js';

/** By their names. */
export type InHand = ReadonlyMap<string, PendingDelivery>;

export interface MessagesInHandParts {
  readonly held: HeldEntries;
  readonly settler: Settler;
  readonly queue: LaneQueue;
}

/** Messages of one partition that its owner has, when reads bring them again. */
export class MessagesInHand {
  readonly #parts: MessagesInHandParts;
  readonly #place: GroupPartition;

  constructor(parts: MessagesInHandParts, place: GroupPartition) {
    this.#parts = parts;
    this.#place = place;
  }

  /** All but those that were given up. */
  all(): InHand {
    const all = this.#parts.queue.allIn(this.#place);
    for (const [name, { entry }] of all) if (entry.isGivenUp) all.delete(name);
    return all;
  }

  /** After a failover another message may have the name of one that a handler still has: that one is lost. */
  isChanged(read: readonly PendingDelivery[]): boolean {
    const inHand = this.all();
    const lost = read.flatMap(({ name, message }) => {
      const taken = inHand.get(name);
      return taken && taken.message.id !== message.id ? [taken] : [];
    });
    for (const { entry } of lost) this.#parts.held.lost(entry);
    return lost.length > 0;
  }

  /** @returns the messages that are to be handled; an entry whose messages are all settled is only released */
  hold({ entry, deliveries }: OpenedEntry, open: readonly PendingDelivery[], inHand: InHand): readonly PendingDelivery[] {
    const { held, settler } = this.#parts;
    const fresh = open.filter(({ name }) => !inHand.has(name));
    // The entry goes when those of its messages are settled that are in hand.
    if (fresh.length === 0 && deliveries.some(({ name }) => inHand.has(name))) return fresh;
    held.add(entry);
    held.settled(entry, deliveries.length - Math.max(fresh.length, 1));
    if (fresh.length === 0) settler.letGo(deliveries[0]!);
    return fresh;
  }
}
