import { isMillraceError, type MillraceError, type Ordering, type SubscriptionDefinition, type SubscriptionLoad } from '@millrace/core';
import type { Topology } from '@millrace/redis';
import type { Breaker } from '../break/breaker.js';
import { Entrance } from '../group/entrance.js';
import type { Replay } from '../group/replays.js';
import type { Presence } from '../group/presence.js';
import type { Forwarder } from '../forward/forwarder.js';
import type { ForwardSender } from '../forward/forward-sender.js';
import type { Occasion, TopicLog } from '../log/topic-log.js';
import type { ReaderPool } from '../read/reader-pool.js';
import type { RingWait } from '../read/ring-wait.js';
import type { HandedOver } from '../ring/ring-text.js';
import type { Rings } from '../ring/rings.js';
import type { DeadLetterDuties } from './dead-letter-duties.js';
import type { Dispatcher } from './dispatcher.js';
import type { Feedback } from './feedback.js';
import type { Fetching } from './fetching.js';
import type { GroupPartition } from './group-partition.js';
import type { HeldEntries } from './held-entries.js';
import type { Holdings } from './holdings.js';
import type { LoneSlot } from './lone-slot.js';
import type { PauseControl } from './pause-control.js';
import type { PendingDelivery } from './pending-delivery.js';
import type { ReadHistory } from './read-history.js';
import type { Settler } from './settler.js';
import type { Upkeep } from './upkeep.js';

export interface MemberParts {
  readonly redis: Topology;
  readonly prefix: string;
  /** The name of the member, which no other member ever has. */
  readonly member: string;
  readonly presence: Presence;
  readonly rings: Rings;
  readonly readers: ReaderPool;
  readonly loneSlot: LoneSlot;
  readonly stuckAfterMs: number;
  readonly log: TopicLog;
  /** Sends what handlers forward: one for the process. */
  readonly sender: ForwardSender;
  /** Called when the topic has more partitions than this member looks after. */
  readonly onRaised: () => void;
  /** Called when a message of the topic was stored that is due later, as far as rings are heard. */
  readonly onDelayed: () => void;
  /** Called with the partition when this member has settled messages of it. */
  readonly onSettled: (partition: number) => void;
}

/**
 * One member of one group on one topic: it passes on what one of its parts finds out to the others. How messages come, and how
 * they stay with it, is that of the mode.
 */
export abstract class Member implements Feedback {
  abstract readonly held: HeldEntries;
  abstract readonly settler: Settler;
  abstract readonly forwarder: Forwarder;
  abstract readonly dispatcher: Dispatcher;
  abstract readonly fetcher: Fetching;
  abstract readonly pauses: PauseControl;
  /** Absent: its handler may fail as often as it likes. */
  protected abstract readonly breaker: Breaker | undefined;
  readonly delayed: () => void;
  readonly raised: () => void;
  protected abstract readonly holdings: Holdings;
  protected abstract readonly upkeep: Upkeep;
  protected abstract readonly rings: RingWait;
  protected abstract readonly partitions: ReadonlyMap<GroupPartition, { readonly history: ReadHistory }>;
  protected readonly places: readonly GroupPartition[];
  protected readonly entrance: Entrance;
  readonly #log: TopicLog;

  constructor(given: MemberParts, places: readonly GroupPartition[], ordering?: Ordering) {
    const { log, onDelayed, onRaised, sender: _sender, ...parts } = given;
    this.places = places;
    this.entrance = new Entrance({ ...parts, places, ordering });
    this.delayed = onDelayed;
    this.raised = onRaised;
    this.#log = log;
  }

  /** Why this member makes no progress, or null when it is well. */
  problem(): string | null {
    const { fetcher, settler, dispatcher, deadLetters, forwarder, breaker } = this;
    const failing = breaker?.problem() ?? fetcher.problem() ?? settler.problem();
    return failing ?? forwarder.problem() ?? dispatcher.problem() ?? deadLetters.problem();
  }

  /** How busy it is. */
  load(limit: number): SubscriptionLoad {
    const { place: { topic, group }, dispatcher: { inFlight, isFull }, fetcher, pauses } = this;
    const mayRest = isFull || pauses.pausedBy.length > 0;
    return { topic, group, inFlight, limit, polledAtMs: mayRest ? Date.now() : fetcher.polledAtMs };
  }

  get place(): GroupPartition {
    return this.places[0]!;
  }

  get deadLetters(): DeadLetterDuties {
    return this.upkeep.deadLetters;
  }

  /**
   * Makes the group where there is none, or where Redis has lost it, joins it, and begins to fetch.
   *
   * @param definition its signal ends the wait for members of another order
   */
  async join({ topic, group, start, signal }: SubscriptionDefinition, occasion: Occasion): Promise<void> {
    const origins = await this.#log.declareGroups(topic, group, { start, occasion });
    // A group that was lost while nobody was here to see it is not new: the messages that it settled are still marked.
    this.places.forEach((place, index) => {
      if (origins[index] === 'remade') this.historyOf(place).givenAgain();
    });
    await this.deadLetters.hook?.declare();
    await this.entrance.enter(signal);
    await this.enter();
    await this.upkeep.start();
    this.fetcher.start();
    this.deadLetters.start();
  }

  /** Called when the group knows this member, before it reads. */
  protected abstract enter(): Promise<void>;

  /** The member stops: it begins nothing more, and has so long to finish what it has begun, and all that it tells the user. */
  abstract finish(deadlineMs: number): Promise<unknown>;

  /** Ends its loops, leaves its entries to others, and says goodbye. @returns false when it still holds entries */
  async leave(): Promise<boolean> {
    this.forwarder.stop();
    await Promise.all([this.upkeep.stop(), this.breaker?.stop()]);
    const leaving = Promise.all([this.holdings.leave(this.places), this.deadLetters.leave()]);
    return leaving.then(([isForgotten]) => isForgotten, () => false);
  }

  /** The operator who paused the group may have moved it. */
  lookAtAll(): void {
    this.rings.lookAtAll();
  }

  abstract readonly isIdle: boolean;

  replayOf({ entry, offset }: PendingDelivery): Replay | null {
    return this.historyOf(entry.stream.partition).replayAt(offset);
  }

  retryScheduled({ entry }: PendingDelivery): void {
    this.upkeep.tender.scheduled(entry.stream.partition);
  }

  deadLettered(): void {
    this.deadLetters.wake();
  }

  abstract handedOver(place: GroupPartition, given: HandedOver): boolean;

  abstract overFetched(delivery: PendingDelivery): void;

  abstract givenAgain(place: GroupPartition): void;

  becameStale(): void {
    this.upkeep.tender.wakeToVerify();
  }

  abstract returned(): void;

  abstract isLost(place: GroupPartition): Promise<boolean>;

  /** The held entries of the partition are gone; for good when the group was removed. */
  async recover(place: GroupPartition): Promise<void> {
    this.givenAgain(place);
    try {
      await this.#log.recover(place, place.group);
    } catch (error) {
      if (isMillraceError(error) && error.code === 'REMOVED') this.#removed(place, error);
      throw error;
    }
    this.recovered();
    this.rings.lookAtAll();
    this.upkeep.tender.wakeToVerify();
  }

  /** A partition was made again: nothing that was held there is. */
  protected abstract recovered(): void;

  abstract verify(): Promise<void>;

  abstract rejoin(places: readonly GroupPartition[]): Promise<void>;

  async groupPaused(): Promise<void> {
    await this.pauses.pause('group');
    await this.pauses.drain();
  }

  groupResumed(): void {
    this.lookAtAll();
    // It may have been set back: what that made void is to be removed.
    this.upkeep.tender.wake();
    this.pauses.resume('group');
  }

  failing(): Promise<void> {
    return this.pauses.pause('failures');
  }

  trying(messages: number): void {
    this.dispatcher.limit(messages);
    this.lookAtAll();
    this.pauses.resume('failures');
  }

  mended(): void {
    this.dispatcher.limit(Infinity);
    this.lookAtAll();
    this.pauses.resume('failures');
  }

  abstract controlled(place: GroupPartition): void;

  /** An operator wants something of the whole group, as it may be. */
  protected operated(): void {
    this.upkeep.watch.wake();
    this.breaker?.wake();
  }

  due(place: GroupPartition, inMs: number): void {
    this.upkeep.tender.due(place, inMs);
  }

  /** Wakes the loops, which may be in the long pause of an idle member. */
  ringsMissed(): void {
    this.upkeep.watch.wake();
    this.upkeep.tender.wake();
    this.delayed();
  }

  membersChanged(): void {
    this.upkeep.tender.wake();
  }

  /**
   * Sees to it that Redis knows this member. One that others took for dead for so long that the group has another order by now
   * handles nothing more.
   */
  protected async confirm(): Promise<void> {
    try {
      await this.entrance.confirm();
    } catch (error) {
      if (isMillraceError(error) && error.code === 'ORDERING_MISMATCH') {
        void this.finish(0);
        await this.pauses.pause('stop');
        this.fetcher.lostSight(error.message);
      }
      throw error;
    }
  }

  protected historyOf(place: GroupPartition): ReadHistory {
    return this.partitions.get(place)!.history;
  }

  protected markHistoriesStale(places = this.places): void {
    for (const place of places) this.historyOf(place).markStale();
  }

  /** A group that was removed does not come back by itself. */
  #removed(place: GroupPartition, error: MillraceError): void {
    this.held.lostOf(place, error);
    this.fetcher.lostSight(error.message);
  }
}
