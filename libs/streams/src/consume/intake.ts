import type { RedisConnection } from '@millrace/redis';
import { SETTLED_PAGE_OFFSETS, settledKey } from '../keys.js';
import type { Dispatcher } from './dispatcher.js';
import type { GroupPartition, GroupStream } from './group-partition.js';
import type { HeldEntries } from './held-entries.js';
import type { HeldEntry, Moment } from './held-entry.js';
import { deliveriesOf, type OpenedEntry, type PendingDelivery, type ReadEntry } from './pending-delivery.js';
import type { Settler } from './settler.js';

export interface IntakeParts {
  readonly redis: RedisConnection;
  readonly prefix: string;
  readonly held: HeldEntries;
  readonly dispatcher: Dispatcher;
  readonly settler: Settler;
  /** Asks Redis what of a partition the group is given again after a seek. */
  readonly learnReplay: (partition: GroupPartition) => Promise<void>;
  /** Whether this member may know less of seeks than it should. */
  readonly mayHaveMissed: () => boolean;
}

/** Takes entries that were read into this member's hands. */
export class Intake {
  readonly #parts: IntakeParts;
  /** Partitions whose group may be given again what it has settled -> the offset at which that ends, once it is known. */
  readonly #replays = new Map<GroupPartition, number | null>();
  /** Partitions that may have begun anew: what a seek asked for in them may be gone. */
  readonly #doubtful = new Set<GroupPartition>();

  constructor(parts: IntakeParts) {
    this.#parts = parts;
  }

  /** The group was made again: what is read up to the present end of the log may be settled already. */
  replay(partition: GroupPartition): void {
    this.doubt(partition);
    if (!this.#replays.has(partition)) this.#replays.set(partition, null);
  }

  /** Something is not as this member left it: before more is handed out, it looks again what a seek asked for. */
  doubt(partition: GroupPartition): void {
    this.#doubtful.add(partition);
  }

  /**
   * @param readAt when the read was sent
   * @returns how many messages the entries brought, settled ones included
   */
  async take(stream: GroupStream, reads: readonly ReadEntry[], readAt: Moment): Promise<number> {
    const { held, dispatcher } = this.#parts;
    held.brought(readAt);
    const found = reads.map((read) => deliveriesOf(stream, read, readAt));
    for (const { entry } of found) held.add(entry);
    const isPlain = this.#isPlain(stream.partition);
    const taken: PendingDelivery[] = [];
    let opened = 0;
    try {
      for (const each of found) {
        taken.push(...(isPlain ? each.deliveries : await this.#open(each)));
        opened += 1;
      }
    } finally {
      // Nobody will handle what a failure left: as it is not held any more, it is put back before the next read.
      for (const { entry } of found.slice(opened)) held.lost(entry);
      // Together, so that the dispatcher knows all that it may begin with.
      dispatcher.add(taken);
    }
    return found.reduce((messages, { deliveries }) => messages + deliveries.length, 0);
  }

  /** Whether nothing of it can be known to the group already. */
  #isPlain(partition: GroupPartition): boolean {
    return !this.#replays.has(partition) && !this.#doubtful.has(partition) && !this.#parts.mayHaveMissed();
  }

  /** @returns what of the entry is to be handled; an entry of which nothing is left only has to be let go of */
  async #open({ entry, deliveries }: OpenedEntry): Promise<readonly PendingDelivery[]> {
    const { held, settler } = this.#parts;
    await this.#dispelDoubt(entry.stream.partition);
    const open = (await this.#isReplay(entry)) ? await this.#unsettled(deliveries) : deliveries;
    held.settled(entry, deliveries.length - Math.max(open.length, 1));
    if (open.length === 0) settler.letGo(deliveries[0]!);
    return open;
  }

  async #dispelDoubt(partition: GroupPartition): Promise<void> {
    if (!this.#doubtful.delete(partition) && !this.#parts.mayHaveMissed()) return;
    try {
      await this.#parts.learnReplay(partition);
    } catch (error) {
      this.#doubtful.add(partition);
      throw error;
    }
  }

  async #isReplay({ stream, base }: HeldEntry): Promise<boolean> {
    const { partition, kind } = stream;
    if (kind === 'again' || base < 0) return false;
    const end = this.#replays.get(partition);
    if (end === undefined) return false;
    const known = end ?? Number(await this.#parts.redis.call('HGET', partition.keys.meta, 'next'));
    if (base < known) this.#replays.set(partition, known);
    else this.#replays.delete(partition);
    return base < known;
  }

  /** The part of an entry that is not settled yet. */
  async #unsettled(deliveries: readonly PendingDelivery[]): Promise<readonly PendingDelivery[]> {
    const { partition } = deliveries[0]!.entry.stream;
    const bits = deliveries.flatMap(({ offset }) => ['GET', 'u1', offset % SETTLED_PAGE_OFFSETS]);
    const key = settledKey(this.#parts.prefix, partition, deliveries[0]!.offset);
    const settled = (await this.#parts.redis.call('BITFIELD_RO', key, ...bits)) as number[];
    return deliveries.filter((_, index) => settled[index] === 0);
  }
}
