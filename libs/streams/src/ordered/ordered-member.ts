import { MillraceError, type PartitionOwner, type SubscriptionDefinition } from '@millrace/core';
import type { Breaker } from '../break/breaker.js';
import { Dispatcher, ONE_BY_ONE } from '../consume/dispatcher.js';
import type { GroupPartition, GroupStream } from '../consume/group-partition.js';
import type { Handling } from '../consume/handling.js';
import { HeldEntries, type HeldEntriesParts } from '../consume/held-entries.js';
import { Holdings } from '../consume/holdings.js';
import { Member, type MemberParts } from '../consume/member.js';
import { PauseControl } from '../consume/pause-control.js';
import { Settler } from '../consume/settler.js';
import { breakerOf, placesOf, rateLimiterOf } from '../consume/shared-member.js';
import { Upkeep } from '../consume/upkeep.js';
import { OutcomeRoutes } from '../durable/outcome-routes.js';
import { Forwarder } from '../forward/forwarder.js';
import { idlePauseMs } from '../group/idle-pause.js';
import { Membership } from '../group/membership.js';
import { Ownership, type OwnershipUser } from '../own/ownership.js';
import { ReadWay } from '../read/read-way.js';
import { RingWait } from '../read/ring-wait.js';
import type { HandedOver } from '../ring/ring-text.js';
import { InPlaceHandling } from './in-place-handling.js';
import { LaneQueue } from './lane-queue.js';
import { OwnedFetcher } from './owned-fetcher.js';
import { OwnedPartition } from './owned-partition.js';
import { OwnerNotes } from './owner-notes.js';
import { ParkedMessages } from './parked-messages.js';
import { PartitionListener } from './partition-listener.js';
import { RaiseGates } from './raise-gates.js';

type Ordering = NonNullable<SubscriptionDefinition['ordering']>;

/** A member of an ordered group: each partition belongs to one member at a time, which handles its messages in their order. */
export class OrderedMember extends Member implements OwnershipUser {
  readonly held: HeldEntries;
  readonly settler: Settler;
  readonly forwarder: Forwarder;
  readonly dispatcher: Dispatcher;
  readonly fetcher: OwnedFetcher;
  readonly pauses: PauseControl;
  protected readonly breaker: Breaker | undefined;
  protected readonly holdings: Holdings;
  protected readonly upkeep: Upkeep;
  protected readonly rings: RingWait;
  protected readonly partitions: ReadonlyMap<GroupPartition, OwnedPartition>;
  readonly #ownership: Ownership;
  readonly #queue: LaneQueue;
  readonly #inPlace: InPlaceHandling;
  readonly #gates: RaiseGates;
  readonly #listeners: ReadonlyMap<GroupPartition, PartitionListener>;
  #leaving: Promise<unknown> | null = null;

  constructor(parts: MemberParts, definition: SubscriptionDefinition & { readonly ordering: Ordering }, handling: Handling) {
    const { redis, prefix, member, presence } = parts;
    const places = placesOf(prefix, definition);
    super(parts, places, definition.ordering);
    const membership = new Membership(member, presence);
    const way = new ReadWay(redis, places, parts.readers);
    const rings = new RingWait({ rings: parts.rings, places, member, membership: FIRST, feedback: this });
    const pauseMs = idlePauseMs(definition.topic, presence.leaseMs);
    const ownership = new Ownership({ redis, presence, member, membership, places, idlePauseMs: pauseMs, rings, user: this });
    const held = new HeldEntries({ holdings: holdingsBy(ownership), way, presence: ownership, feedback: this });
    const { durability } = definition;
    const { sender, onSettled } = parts;
    const names = (): readonly string[] => [];
    const forwarder = new Forwarder({ redis, member, sender, jobs: definition.forwardedJobs, durability, presence, names });
    const outcomes = new OutcomeRoutes(redis, durability);
    const settler = new Settler({ redis, prefix, member, held, outcomes, forwarder, feedback: this, onSettled });
    const queue = new LaneQueue(handling.rule ?? ONE_BY_ONE, definition.ordering.by);
    const [notes, parked] = [new OwnerNotes({ redis, prefix, member }), new ParkedMessages({ member, outcomes })];
    const partitions = new Map<GroupPartition, OwnedPartition>();
    const { onExhausted = 'dead-letter' } = definition.ordering;
    const raise = ({ partition }: GroupPartition, epoch: number): void => ownership.raise(partition, epoch);
    const storing = { held, notes, parked, outcomes };
    const inPlace = new InPlaceHandling({ ...storing, queue, rings, partitions, onExhausted, feedback: this, raise });
    const needsKey = definition.ordering.by === 'key';
    const breaker = breakerOf(parts, definition, this);
    const slots = { handling, breaker, inPlace, needsKey, rateLimiter: rateLimiterOf(parts, definition) };
    const dispatcher = new Dispatcher({ ...definition, ...parts, ...slots, held, settler, holdings: inPlace, feedback: this });
    const reading = { prefix, presence: ownership, rings, held, dispatcher, settler, queue, notes, parked };
    const partitionOf = (place: GroupPartition): OwnedPartition =>
      new OwnedPartition({ ...reading, redis: redis.publishFor(place.keys.log) }, place);
    for (const place of places) partitions.set(place, partitionOf(place));
    this.held = held;
    this.settler = settler;
    this.forwarder = forwarder;
    this.dispatcher = dispatcher;
    this.breaker = breaker;
    this.#gates = new RaiseGates({ redis, prefix, place: places[0]! });
    this.fetcher = new OwnedFetcher({ way, rings, member, partitions, dispatcher, queue, gates: this.#gates, feedback: this });
    this.holdings = new Holdings({ redis, prefix, member });
    this.rings = rings;
    this.partitions = partitions;
    this.#ownership = ownership;
    this.#queue = queue;
    this.#inPlace = inPlace;
    this.#listeners = new Map(places.map((place) => [place, new PartitionListener(place, definition)]));
    const tended = { membership, places, held: NOTHING_HELD, partitions: [...partitions.values()], forwarder, feedback: this };
    this.upkeep = new Upkeep({ ...parts, ...tended, isOrdered: true }, definition);
    const giveBack = (): void => this.#restart(places);
    this.pauses = new PauseControl({ dispatcher, fetcher: this.fetcher, hook: this.deadLetters.hook, giveBack });
  }

  override problem(): string | null {
    const all = [this.#inPlace, ...this.partitions.values(), ...this.#listeners.values()];
    return super.problem() ?? all.map((one) => one.problem()).find((problem) => problem !== null) ?? null;
  }

  get isIdle(): boolean {
    return this.rings.isListening && this.held.size === 0;
  }

  protected enter(): Promise<void> {
    this.#ownership.start();
    return Promise.resolve();
  }

  /** Partitions in which nothing is in flight go to others at once. */
  finish(deadlineMs: number): Promise<unknown> {
    this.#leaving ??= this.#ownership.stop(deadlineMs);
    return this.#leaving;
  }

  override async leave(): Promise<boolean> {
    await this.finish(0);
    return super.leave();
  }

  assigned(place: GroupPartition, acquisition: PartitionOwner): void {
    const partition = this.partitions.get(place)!;
    partition.acquired(acquisition.epoch);
    this.#listeners.get(place)!.assigned(acquisition.epoch, () => {
      partition.assigned(acquisition);
      for (const stream of place.streams) this.rings.lookAt(stream);
    });
  }

  revoked(place: GroupPartition): Promise<void> {
    return this.#listeners.get(place)!.revoked(this.#drain(place));
  }

  hasCounted(place: GroupPartition): boolean {
    return this.partitions.get(place)!.hasCounted;
  }

  lost(place: GroupPartition): void {
    this.partitions.get(place)!.lost();
    this.held.lostOf(place, ownershipLost(place));
    this.#listeners.get(place)!.lost();
  }

  handedOver(place: GroupPartition, given: HandedOver): boolean {
    return this.fetcher.handedOver(place, given);
  }

  overFetched(): void {
    // An owner keeps all that it has read.
  }

  givenAgain(place: GroupPartition): void {
    this.historyOf(place).givenAgain();
    this.partitions.get(place)!.restart();
    for (const stream of place.streams) this.rings.lookAt(stream);
    this.#ownership.doubt();
  }

  /** Nothing else wakes a member with messages that wait and no handler at work. */
  sureAgain(): void {
    this.dispatcher.goOn();
  }

  /** The ownership looks by itself who owns what by now. */
  returned(): void {
    this.markHistoriesStale();
    this.upkeep.tender.wakeToVerify();
  }

  async isLost({ streams }: GroupPartition): Promise<boolean> {
    const groups = await Promise.all(streams.map((stream) => this.holdings.hasGroup(stream)));
    return groups.includes(false);
  }

  /** It may have been set back. */
  override groupResumed(): void {
    this.#gates.reset();
    super.groupResumed();
  }

  protected recovered(): void {
    this.#gates.reset();
    this.#ownership.doubt();
  }

  async verify(): Promise<void> {
    await this.confirm();
    this.dispatcher.goOn();
  }

  async rejoin(places: readonly GroupPartition[]): Promise<void> {
    this.markHistoriesStale(places);
    await this.verify();
    this.#restart(places);
  }

  controlled(place: GroupPartition): void {
    this.operated();
    this.partitions.get(place)!.rung();
    this.#ownership.wake();
  }

  override ringsMissed(): void {
    super.ringsMissed();
    for (const partition of this.partitions.values()) partition.rung();
    this.#ownership.wake();
  }

  override membersChanged(): void {
    super.membersChanged();
    this.#ownership.wake();
  }

  async #drain(place: GroupPartition): Promise<void> {
    this.partitions.get(place)!.drain();
    while (this.#queue.hasTakenIn(place)) await this.dispatcher.nextEnd();
  }

  #restart(places: readonly GroupPartition[]): void {
    for (const place of places) {
      this.partitions.get(place)!.restart();
      for (const stream of place.streams) this.rings.lookAt(stream);
    }
  }
}

/** Nobody else reads the partitions that a member owns. */
const FIRST = { rankFor: (): number => 0 };

/** No entry is held by a member itself. */
const NOTHING_HELD = { counts: (): ReadonlyMap<GroupStream, number> => new Map() };

/** An entry is held by the owner of its partition. */
function holdingsBy(ownership: Ownership): HeldEntriesParts['holdings'] {
  return {
    of: () => Promise.resolve(new Set()),
    has: ({ stream, ownerEpoch }) => ownership.confirms(stream.partition, ownerEpoch ?? 0),
  };
}

function ownershipLost({ topic, partition, group }: GroupPartition): MillraceError {
  return new MillraceError(
    'STATE_LOST',
    `Partition ${partition} of topic '${topic}' was taken from this process: another member of group '${group}' may own it by now. ` +
      'Nothing that follows counts: stop.',
  );
}
