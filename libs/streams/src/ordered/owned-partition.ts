import type { GroupPartition, GroupStream } from '../consume/group-partition.js';
import type { Dispatcher } from '../consume/dispatcher.js';
import type { HeldEntries } from '../consume/held-entries.js';
import type { Moment } from '../consume/held-entry.js';
import { deliveriesOf, type OpenedEntry, type PendingDelivery, type ReadEntry } from '../consume/pending-delivery.js';
import { ReadHistory, type ReadHistoryParts } from '../consume/read-history.js';
import type { Settler } from '../consume/settler.js';
import type { Acquisition } from '../own/ownership.js';
import { type AttemptRecord, type AttemptRecords, NEVER_TRIED } from './attempt-records.js';
import type { LaneQueue } from './lane-queue.js';

export interface OwnedPartitionParts extends ReadHistoryParts {
  readonly held: HeldEntries;
  readonly dispatcher: Dispatcher;
  readonly settler: Settler;
  readonly queue: LaneQueue;
  readonly attempts: AttemptRecords;
}

/** Reads only what no owner has read yet. */
const NEW = '>';
const BEGINNING = '0-0';

/** Where a read is to go on in one stream. A read that was sent before the position was set back brings nothing. */
export interface ReadPosition {
  readonly epoch: number;
  readonly round: number;
  /** By stream, the id to read behind, or {@link NEW}. */
  readonly after: ReadonlyMap<GroupStream, string>;
}

type InHand = ReadonlyMap<string, PendingDelivery>;

const NOTHING: InHand = new Map();

/**
 * One partition of an ordered group, as one member has it. While the member owns it, it reads what owners have read and not
 * settled, then what is new.
 */
export class OwnedPartition {
  readonly place: GroupPartition;
  readonly history: ReadHistory;
  readonly #parts: OwnedPartitionParts;
  #acquisition: Acquisition | null = null;
  #isDraining = false;
  /** Grows when the positions are set back. */
  #round = 0;
  readonly #after = new Map<GroupStream, string>();
  /** Offset of the last entry that was new. */
  #lastBase = -1;
  #records: ReadonlyMap<string, AttemptRecord> | null = null;
  /** Lanes of each stream whose first message has been found since the owner before died. */
  readonly #found = new Set<string>();

  constructor(parts: OwnedPartitionParts, place: GroupPartition) {
    this.place = place;
    this.history = new ReadHistory(parts, place);
    this.#parts = parts;
  }

  /** Where to read; null while this member is not to read here. */
  get position(): ReadPosition | null {
    if (!this.#acquisition || this.#isDraining) return null;
    return { epoch: this.#acquisition.epoch, round: this.#round, after: new Map(this.#after) };
  }

  /** Whether this member owns it, and may begin messages. */
  get isOpen(): boolean {
    return this.#acquisition !== null && !this.#isDraining;
  }

  assigned(acquisition: Acquisition): void {
    this.#acquisition = acquisition;
    this.#isDraining = false;
    this.#lastBase = -1;
    this.#found.clear();
    this.history.markStale();
    this.restart();
  }

  /** Begins nothing more, and reads nothing more. */
  drain(): void {
    this.#isDraining = true;
    this.restart();
  }

  /** The member owns it no more. */
  lost(): void {
    this.#acquisition = null;
    this.restart();
  }

  /** Reads again all that is not settled, but for the messages that handlers have. */
  restart(): void {
    const { queue, held } = this.#parts;
    this.#round += 1;
    this.#records = null;
    for (const stream of this.place.streams) this.#after.set(stream, BEGINNING);
    for (const { entry } of queue.drop(this.place)) held.settled(entry);
  }

  /**
   * Takes in entries that a read from a position has brought.
   *
   * @returns how many messages came; null when they are to be read again
   */
  async take(stream: GroupStream, reads: readonly ReadEntry[], from: ReadPosition): Promise<number | null> {
    const after = from.after.get(stream)!;
    const found = reads.map((read) => deliveriesOf(stream, read, this.#momentOf(from)));
    if (after === NEW) this.#watchOrder(stream, found);
    else if (reads.length > 0) await this.#loadRecords();
    // One that is settled while it is looked up was not settled yet for the look, and is in hand no more behind it.
    const inHandBefore = this.#inHand();
    const open = await Promise.all(found.map((entry) => this.#unsettledOf(entry, after !== NEW)));
    if (this.#round !== from.round || (after !== NEW && this.#isChanged(open.flat()))) return null;
    this.#after.set(stream, after === NEW || reads.length === 0 ? NEW : reads.at(-1)!.id);
    const inHand = after === NEW && this.history.isPlain ? NOTHING : new Map([...inHandBefore, ...this.#inHand()]);
    const taken = found.flatMap((entry, index) => this.#hold(entry, open[index]!, inHand));
    this.#parts.dispatcher.add(after === NEW ? taken : taken.map((delivery) => this.#withHistory(delivery)));
    return found.reduce((messages, { deliveries }) => messages + deliveries.length, 0);
  }

  #momentOf({ epoch }: ReadPosition): Omit<Moment, 'returns'> {
    return { connectionEpoch: this.#parts.held.moment().connectionEpoch, ownerEpoch: epoch };
  }

  /** Offsets grow, unless the group was made again, and begins anew: then it may be given settled messages. */
  #watchOrder({ kind }: GroupStream, found: readonly OpenedEntry[]): void {
    if (kind === 'again') return;
    for (const { entry: { base } } of found) {
      if (base < 0) continue;
      if (base <= this.#lastBase) this.history.givenAgain();
      this.#lastBase = base;
    }
  }

  async #loadRecords(): Promise<void> {
    this.#records ??= await this.#parts.attempts.load(this.place);
  }

  async #unsettledOf({ entry, deliveries }: OpenedEntry, isReread: boolean): Promise<readonly PendingDelivery[]> {
    if (isReread && entry.stream.kind === 'log' && entry.base >= 0) return this.history.unmarked(deliveries);
    return this.history.isPlain ? deliveries : this.history.unsettledOf(entry, deliveries);
  }

  /** @returns the messages that are to be handled; an entry whose messages are all settled is only released */
  #hold({ entry, deliveries }: OpenedEntry, open: readonly PendingDelivery[], inHand: InHand): readonly PendingDelivery[] {
    const { held, settler } = this.#parts;
    const fresh = open.filter(({ name }) => !inHand.has(name));
    if (open.length > 0 && fresh.length === 0) return fresh;
    held.add(entry);
    held.settled(entry, deliveries.length - Math.max(fresh.length, 1));
    if (fresh.length === 0) settler.letGo(deliveries[0]!);
    return fresh;
  }

  /** Messages that this member has already, by name, but for those that were given up. */
  #inHand(): InHand {
    const all = this.#parts.queue.allIn(this.place);
    for (const [name, { entry }] of all) if (entry.isGivenUp) all.delete(name);
    return all;
  }

  /** After a failover another message may have the name of one that a handler still has: that one is lost. */
  #isChanged(read: readonly PendingDelivery[]): boolean {
    const inHand = this.#inHand();
    const lost = read.flatMap(({ name, message }) => {
      const taken = inHand.get(name);
      return taken && taken.message.id !== message.id ? [taken] : [];
    });
    for (const { entry } of lost) this.#parts.held.lost(entry);
    return lost.length > 0;
  }

  /**
   * The first message of each lane is the one that a handler may have had when its process vanished. Only one that was begun
   * alone is known to have been in the hands of a handler then, so only that one counts more than one crash.
   */
  #withHistory(delivery: PendingDelivery): PendingDelivery {
    const record = this.#records?.get(delivery.name) ?? NEVER_TRIED;
    const isSuspect = this.#acquisition?.isAfterDeath === true && this.#isFirst(delivery);
    if (record === NEVER_TRIED && !isSuspect) return delivery;
    const isCounted = isSuspect && (record.crashes === 0 || record.isBegun);
    const next = delivery.with({ ...record, crashes: record.crashes + (isCounted ? 1 : 0) });
    next.isNoted = record !== NEVER_TRIED;
    next.notBeforeMs = performance.now() + Math.min(record.delayMs, Math.max(0, record.dueAtMs - Date.now()));
    return next;
  }

  #isFirst(delivery: PendingDelivery): boolean {
    const lane = `${delivery.entry.stream.kind} ${this.#parts.queue.laneKeyOf(delivery)}`;
    if (this.#found.has(lane)) return false;
    this.#found.add(lane);
    return true;
  }
}
