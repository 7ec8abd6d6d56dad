import type { PartitionOwner } from '@millrace/core';
import type { GroupPartition, GroupStream } from '../consume/group-partition.js';
import type { Dispatcher } from '../consume/dispatcher.js';
import { deliveriesOf, type OpenedEntry, type PendingDelivery, type ReadEntry } from '../consume/pending-delivery.js';
import { ReadHistory, type ReadHistoryParts } from '../consume/read-history.js';
import type { RingWait } from '../read/ring-wait.js';
import { OperatorWatch } from './operator-watch.js';
import { type InHand, MessagesInHand, type MessagesInHandParts } from './messages-in-hand.js';
import type { GivenUp, Notes, OwnerNotes, StoppedAt } from './owner-notes.js';
import type { AfterParked, NextParked, ParkedMessages } from './parked-messages.js';
import type { ParkedState } from './parked-keys.js';
import { ReleasedKeys } from './released-keys.js';
import { Suspects } from './suspects.js';

export interface OwnedPartitionParts extends ReadHistoryParts, MessagesInHandParts {
  readonly dispatcher: Dispatcher;
  readonly notes: OwnerNotes;
  readonly parked: ParkedMessages;
  readonly rings: Pick<RingWait, 'lookAt'>;
}

/** Reads only what no owner has read yet. */
const NEW = '>';
const BEGINNING = '0-0';

const NOTHING: InHand = new Map();

/** Where a read is to go on in each stream. A read that was sent before the position was set back brings nothing. */
export interface ReadPosition {
  readonly owner: PartitionOwner;
  readonly round: number;
  /** By stream, the id to read behind, or {@link NEW}. */
  readonly after: ReadonlyMap<GroupStream, string>;
  /** Messages that this member has by then, and that the read may bring again: they may be settled before its reply comes. */
  readonly inHand: InHand;
}

/** Entries that a read has brought. */
interface Found {
  readonly reads: readonly ReadEntry[];
  readonly found: readonly OpenedEntry[];
  /** Owners have read them before. */
  readonly isReread: boolean;
  /** This member may have some of them. */
  readonly mayBeInHand: boolean;
}

/**
 * One partition of an ordered group, as one member has it. While the member owns it, it reads what owners have read and not
 * settled, then what is new.
 */
export class OwnedPartition {
  readonly place: GroupPartition;
  readonly history: ReadHistory;
  readonly #parts: OwnedPartitionParts;
  readonly #inHand: MessagesInHand;
  readonly #released: ReleasedKeys;
  readonly #operator: OperatorWatch;
  #acquisition: PartitionOwner | null = null;
  #isDraining = false;
  /** Grows when the positions are set back. */
  #round = 0;
  readonly #after = new Map<GroupStream, string>();
  /** Null until they are read, in each round. */
  #notes: Notes | null = null;
  #stoppedAt: StoppedAt | null = null;
  /** Whether Redis knows that: an operator has nothing to order before. */
  #isStopStored = false;
  /** Keys of which a message was put aside while notes were on their way. */
  readonly #parkedSince = new Set<string>();
  readonly #suspects: Suspects;

  constructor(parts: OwnedPartitionParts, place: GroupPartition) {
    this.place = place;
    this.history = new ReadHistory(parts, place);
    this.#parts = parts;
    this.#suspects = new Suspects((death) => void parts.notes.forgetDeath(place, death));
    this.#inHand = new MessagesInHand(parts, place);
    this.#released = new ReleasedKeys(parts, place);
    this.#operator = new OperatorWatch(parts.notes, {
      place,
      waits: () => this.#waitsForOperator,
      released: (keys) => this.#learnReleased(keys),
      goesOn: () => this.#goOn(),
    });
  }

  /** The epoch under which this member owns it; null while it is not to read here. */
  get epoch(): number | null {
    return this.isOpen ? this.#acquisition!.epoch : null;
  }

  /** Where to read; null while this member is not to read here. */
  get position(): ReadPosition | null {
    if (!this.isOpen) return null;
    const mayBringThem = this.#isRereading || !this.history.isPlain;
    const inHand = mayBringThem ? this.#inHand.all() : NOTHING;
    return { owner: this.#acquisition!, round: this.#round, after: new Map(this.#after), inHand };
  }

  /** Whether this member owns it, and may begin messages. */
  get isOpen(): boolean {
    return this.#acquisition !== null && !this.#isDraining && this.#stoppedAt === null;
  }

  /** Why nothing goes on here, or null. */
  problem(): string | null {
    if (!this.#acquisition || !this.#stoppedAt) return null;
    const { error: { message }, reason } = this.#stoppedAt.givenUp;
    return `partition ${this.place.partition} stopped at a message that failed for good (${reason}): ${message}`;
  }

  /** The member owns it, and reads nothing of it before it is {@link assigned}. */
  acquired(epoch: number): void {
    this.#suspects.owned(epoch);
  }

  assigned(acquisition: PartitionOwner): void {
    this.#acquisition = acquisition;
    this.#isDraining = false;
    this.history.markStale();
    this.#stoppedAt = null;
    this.restart();
  }

  /** Begins nothing more, and reads nothing more. */
  drain(): void {
    this.#isDraining = true;
    this.restart();
  }

  /** Whether Redis knows all crashes that the death of an owner before counts, or there are none. */
  get hasCounted(): boolean {
    return this.#suspects.areCounted;
  }

  /** Redis knows that the message begins, and its crashes. */
  begins({ name, entry }: PendingDelivery): void {
    this.#suspects.marked(name, entry.ownerEpoch);
  }

  /** How the message ends is known. */
  ended({ name, crashes }: PendingDelivery): void {
    if (crashes > 0) this.#suspects.ended(name);
  }

  /** The member owns it no more. */
  lost(): void {
    this.#acquisition = null;
    this.restart();
  }

  /** Goes no further than this message, until an operator lets it. Redis may know of it later: see {@link stopEnds}. */
  stop(at: StoppedAt, isStored = false): void {
    this.#stoppedAt = at;
    this.#isStopStored = isStored;
    this.restart();
  }

  /** Redis knows that the partition has stopped, or has refused it: the message is settled, or another's. */
  stopEnds(isStored: boolean): void {
    if (this.#stoppedAt === null) return;
    this.#isStopStored = isStored;
    if (isStored) this.#operator.waits();
    else this.#goOn();
  }

  /** An operator may have released keys, or let the partition go on. */
  rung(): void {
    this.#operator.rung();
  }

  /** Whether it still reads what owners have read before. */
  get #isRereading(): boolean {
    return [...this.#after.values()].some((after) => after !== NEW);
  }

  get #waitsForOperator(): 'stopped' | 'parked' | null {
    if (this.#acquisition === null) return null;
    if (this.#stoppedAt !== null) return this.#isStopStored ? 'stopped' : null;
    return this.#notes && this.#notes.parked.size > 0 ? 'parked' : null;
  }

  #goOn(): void {
    if (this.#stoppedAt) this.beginsAnew(this.#stoppedAt.name);
    this.#stoppedAt = null;
    this.restart();
    for (const stream of this.place.streams) this.#parts.rings.lookAt(stream);
  }

  /** Also keys that are not known to be put aside: the reply that says so may be on its way. One that is done is found empty. */
  #learnReleased(keys: ReadonlyMap<string, ParkedState>): void {
    for (const [key, state] of keys) if (state === 'released') this.#notes!.parked.set(key, state);
    this.#openReleased();
  }

  /** Should the message come again, it has no attempts and no crashes behind it. */
  beginsAnew(name: string): void {
    this.#notes?.attempts.delete(name);
    this.#suspects.beginsAnew(name);
  }

  /** Reads again all that is not settled, but for the messages that handlers have. */
  restart(): void {
    const { queue, held, dispatcher } = this.#parts;
    this.#round += 1;
    this.#notes = null;
    this.#operator.restarted();
    this.#released.clear();
    this.#parkedSince.clear();
    for (const stream of this.place.streams) this.#after.set(stream, BEGINNING);
    for (const { entry } of queue.drop(this.place)) held.settled(entry);
    dispatcher.roomGrew();
  }

  /** How an operator wants a message to end; undefined when it is to be handled. */
  givenUp(delivery: PendingDelivery): GivenUp | undefined {
    const noted = this.#notes?.givenUp;
    return (noted && noted.size > 0 ? noted.get(delivery.name) : undefined) ?? this.#released.givenUp(delivery);
  }

  isParked(key: string | null): boolean {
    return key !== null && this.#notes?.parked.has(key) === true;
  }

  /** A message of the key was put aside. */
  park(key: string): void {
    const parked = this.#notes?.parked;
    if (!parked) this.#parkedSince.add(key);
    else if (parked.get(key) === 'released') this.#openReleased([key]);
    else parked.set(key, 'parked');
    this.#operator.waits();
  }

  /** A message of a released key is settled. */
  afterParked(key: string, next: AfterParked): void {
    const parked = this.#notes?.parked;
    if (next === 'empty') parked?.delete(key);
    else if (next === 'parked') parked?.set(key, 'parked');
    if (next === 'empty' || next === 'parked') {
      this.#suspects.noneOf(key);
      this.#openNext(key);
    } else if (next !== 'lost' && this.isOpen && parked) this.#handleReleased(key, next);
  }

  /**
   * Takes in entries that a read from a position has brought.
   *
   * @returns how many messages came; null when they are to be read again
   */
  take(stream: GroupStream, reads: readonly ReadEntry[], from: ReadPosition): number | null | Promise<number | null> {
    const isReread = from.after.get(stream) !== NEW;
    const found = reads.map((read) => deliveriesOf(stream, read, this.#momentOf(from)));
    if (!isReread) this.history.saw(stream, found);
    const mayBeInHand = isReread || !this.history.isPlain;
    if (this.#notes !== null && !mayBeInHand) return this.#takeNew(stream, found, from);
    return this.#takeKnown(stream, { reads, found, isReread, mayBeInHand }, from);
  }

  /** Entries of which the group can have settled nothing, and this member can have nothing in hand. */
  #takeNew(stream: GroupStream, found: readonly OpenedEntry[], { round }: ReadPosition): number | null {
    if (this.#round !== round) return null;
    this.#after.set(stream, NEW);
    this.#begin(found.flatMap((entry) => this.#inHand.hold(entry, entry.deliveries, NOTHING)), false);
    return messagesIn(found);
  }

  async #takeKnown(stream: GroupStream, all: Found, from: ReadPosition): Promise<number | null> {
    const { reads, found, isReread, mayBeInHand } = all;
    // One that is settled while it is looked up was not settled yet for the look, and is in hand no more behind it.
    const before = mayBeInHand ? new Map([...from.inHand, ...this.#inHand.all()]) : NOTHING;
    const [notes, ...open] = await Promise.all([this.#known(), ...found.map((entry) => this.#unsettledOf(entry, isReread))]);
    if (this.#round !== from.round || (isReread && this.#inHand.isChanged(open.flat())) || this.#isToStop(notes)) return null;
    this.#after.set(stream, isReread ? (reads.at(-1)?.id ?? NEW) : NEW);
    const inHand = mayBeInHand ? new Map([...before, ...this.#inHand.all()]) : NOTHING;
    const taken = found.flatMap((entry, index) => this.#inHand.hold(entry, open[index]!, inHand));
    this.#begin(taken, isReread);
    return messagesIn(found);
  }

  #begin(taken: readonly PendingDelivery[], isReread: boolean): void {
    this.#parts.dispatcher.add(isReread ? taken.map((delivery) => this.#withHistory(delivery, this.#suspects.isFinding)) : taken);
    if (isReread) this.#openReleased();
  }

  /** Takes in what owners have noted. @returns whether the partition has stopped */
  #isToStop(notes: Notes): boolean {
    const isNew = this.#notes === null;
    if (isNew) this.#notes = this.#upToDate(notes);
    this.#suspects.inherit(notes.death);
    if (notes.stoppedAt) this.stop(notes.stoppedAt, true);
    if (isNew) this.#operator.learned(notes.order);
    return notes.stoppedAt !== null;
  }

  #upToDate(notes: Notes): Notes {
    for (const key of this.#parkedSince) if (!notes.parked.has(key)) notes.parked.set(key, 'parked');
    this.#parkedSince.clear();
    return notes;
  }

  /** Messages of a key that came before those that were put aside are handled, or put aside, before these are. */
  #openReleased(keys: Iterable<string> = this.#notes?.parked.keys() ?? []): void {
    if (!this.isOpen || !this.#notes || this.#isRereading) return;
    const released = [...keys].filter((key) => this.#notes!.parked.get(key) === 'released');
    this.#suspects.allRead(released);
    for (const key of released) this.#released.add(key);
    this.#openNext();
  }

  /** @param ended a key that is handled, or put aside again */
  #openNext(ended?: string): void {
    if (ended !== undefined) this.#released.ended(ended);
    for (const key of this.#released.take()) void this.#openKey(key);
  }

  async #openKey(key: string): Promise<void> {
    const [round, { epoch }] = [this.#round, this.#acquisition!];
    const next = await this.#released.first({ key, epoch }, () => round === this.#round);
    if (next !== null && round === this.#round) this.afterParked(key, next);
  }

  #handleReleased(key: string, next: NextParked): void {
    const delivery = this.#released.deliveryOf(key, next, this.#acquisition!);
    const isSuspect = this.#suspects.firstOf(key);
    if (this.#inHand.all().has(delivery.name)) return;
    this.#parts.held.add(delivery.entry);
    this.#parts.dispatcher.add([this.#withHistory(delivery, isSuspect)]);
  }

  async #known(): Promise<Notes> {
    return this.#notes ?? this.#parts.notes.load(this.place);
  }

  #momentOf({ owner }: ReadPosition): { connectionEpoch: number; owner: PartitionOwner } {
    return { connectionEpoch: this.#parts.held.moment(this.place.streams[0]).connectionEpoch, owner };
  }

  async #unsettledOf({ entry, deliveries }: OpenedEntry, isReread: boolean): Promise<readonly PendingDelivery[]> {
    if (isReread && entry.stream.kind === 'log' && entry.base >= 0) return this.history.unmarked(deliveries);
    return this.history.isPlain ? deliveries : this.history.unsettledOf(entry, deliveries);
  }

  /** @param mayBeFirst whether the owner before may have died with it, if it is the first of its lane */
  #withHistory(delivery: PendingDelivery, mayBeFirst: boolean): PendingDelivery {
    const record = this.#notes?.attempts.get(delivery.name);
    const lane = `${delivery.entry.stream.kind} ${this.#parts.queue.laneKeyOf(delivery)}`;
    const crashes = this.#suspects.crashesOf({ delivery, lane, mayBeFirst }, record);
    if (!record && crashes === delivery.crashes) return delivery;
    const next = delivery.with({ ...record, crashes });
    if (!record) return next;
    next.isNoted = true;
    next.notBeforeMs = performance.now() + Math.min(record.delayMs, Math.max(0, record.dueAtMs - Date.now()));
    return next;
  }
}

function messagesIn(found: readonly OpenedEntry[]): number {
  return found.reduce((messages, { deliveries }) => messages + deliveries.length, 0);
}
