import type { Dispatcher } from './dispatcher.js';
import type { GroupPartition, GroupStream } from './group-partition.js';
import type { HeldEntries } from './held-entries.js';
import type { Moment } from './held-entry.js';
import { deliveriesOf, type OpenedEntry, type PendingDelivery, type ReadEntry } from './pending-delivery.js';
import { ReadHistory, type ReadHistoryParts } from './read-history.js';
import type { Settler } from './settler.js';

export interface PartitionParts extends ReadHistoryParts {
  readonly held: HeldEntries;
  readonly dispatcher: Dispatcher;
  readonly settler: Settler;
}

/** One partition of a subscription: it makes deliveries out of the entries that were read there. */
export class Partition {
  readonly place: GroupPartition;
  readonly history: ReadHistory;
  readonly #parts: PartitionParts;

  constructor(parts: PartitionParts, place: GroupPartition) {
    this.place = place;
    this.history = new ReadHistory(parts, place);
    this.#parts = parts;
  }

  /**
   * Takes entries that were read, and hands their messages on that are to be handled.
   *
   * @param readAt when the read was sent
   * @returns how many messages the entries brought, settled ones included
   */
  async take(stream: GroupStream, reads: readonly ReadEntry[], readAt: Moment): Promise<number> {
    const { held, dispatcher } = this.#parts;
    held.brought(readAt);
    const found = reads.map((read) => deliveriesOf(stream, read, readAt));
    for (const { entry } of found) held.add(entry);
    this.history.saw(stream, found);
    if (this.history.isPlain) dispatcher.add(found.flatMap(({ deliveries }) => deliveries));
    else await this.#takeUnsettled(found);
    return found.reduce((messages, { deliveries }) => messages + deliveries.length, 0);
  }

  async #takeUnsettled(found: readonly OpenedEntry[]): Promise<void> {
    const { held, dispatcher } = this.#parts;
    const taken: PendingDelivery[] = [];
    let opened = 0;
    try {
      for (const each of found) {
        taken.push(...(await this.#open(each)));
        opened += 1;
      }
    } finally {
      // Nobody handles the entries behind a failure: no longer held, they are put back before the next read.
      for (const { entry } of found.slice(opened)) held.lost(entry);
      // All at once, so that the dispatcher knows every message that it may begin.
      dispatcher.add(taken);
    }
  }

  /** @returns the messages of the entry that are to be handled; an entry that has none is only released */
  async #open({ entry, deliveries }: OpenedEntry): Promise<readonly PendingDelivery[]> {
    const { held, settler } = this.#parts;
    const open = await this.history.unsettledOf(entry, deliveries);
    held.settled(entry, deliveries.length - Math.max(open.length, 1));
    if (open.length === 0) settler.letGo(deliveries[0]!);
    return open;
  }
}
