import { isMillraceError, type MillraceError, type SubscriptionDefinition } from '@millrace/core';
import type { Topology } from '@millrace/redis';
import { GroupWatch } from '../group/group-watch.js';
import { idlePauseMs } from '../group/idle-pause.js';
import { Membership } from '../group/membership.js';
import type { Presence } from '../group/presence.js';
import { Tender } from '../group/tender.js';
import { Auditor } from '../inspect/auditor.js';
import { rateKey } from '../keys.js';
import { partitionsOf, type TopicLog } from '../log/topic-log.js';
import { Fetcher } from '../read/fetcher.js';
import { ReadWay } from '../read/read-way.js';
import type { ReaderPool } from '../read/reader-pool.js';
import { RingWait } from '../read/ring-wait.js';
import type { Rings } from '../ring/rings.js';
import { DeadLetterDuties } from './dead-letter-duties.js';
import { Dispatcher } from './dispatcher.js';
import type { Feedback } from './feedback.js';
import { type GroupPartition, groupPartition } from './group-partition.js';
import type { Handling } from './handling.js';
import { HeldEntries } from './held-entries.js';
import { Holdings } from './holdings.js';
import type { LoneSlot } from './lone-slot.js';
import { Partition } from './partition.js';
import { PauseControl } from './pause-control.js';
import type { PendingDelivery } from './pending-delivery.js';
import { RateLimiter } from './rate-limiter.js';
import { Settler } from './settler.js';

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
  /** Called when a message of the topic was stored that is due later, as far as rings are heard. */
  readonly onDelayed: () => void;
}

/** One member of one group on one topic: it puts its parts together, and passes on what one of them finds out to the others. */
export class Member implements Feedback {
  readonly held: HeldEntries;
  readonly settler: Settler;
  readonly dispatcher: Dispatcher;
  readonly fetcher: Fetcher;
  readonly deadLetters: DeadLetterDuties;
  readonly pauses: PauseControl;
  readonly #places: readonly GroupPartition[];
  readonly #partitions: ReadonlyMap<GroupPartition, Partition>;
  readonly #holdings: Holdings;
  readonly #way: ReadWay;
  readonly #rings: RingWait;
  readonly #watch: GroupWatch;
  readonly #tender: Tender;
  readonly #auditor: Auditor;
  readonly #log: TopicLog;
  readonly delayed: () => void;

  constructor(parts: MemberParts, definition: SubscriptionDefinition, handling: Handling) {
    const { redis, prefix, member, presence, loneSlot, stuckAfterMs } = parts;
    const { topic, group, rateLimit: limit } = definition;
    const places = partitionsOf(topic).map((partition) => groupPartition(prefix, { topic: topic.name, partition }, group));
    const membership = new Membership(member, presence);
    this.#places = places;
    this.#log = parts.log;
    this.delayed = parts.onDelayed;
    this.#way = new ReadWay(redis, places.flatMap(({ streams }) => streams), parts.readers);
    this.#holdings = new Holdings({ redis, prefix, member });
    this.held = new HeldEntries({ holdings: this.#holdings, way: this.#way, presence, feedback: this });
    this.settler = new Settler({ redis, prefix, member, held: this.held, feedback: this });
    const holding = { held: this.held, settler: this.settler, holdings: this.#holdings };
    const permitsKey = rateKey(prefix, topic.name, group);
    const rateLimiter = limit && new RateLimiter({ redis: redis.publishFor(permitsKey), key: permitsKey, limit });
    const slots = { handling, loneSlot, stuckAfterMs, rateLimiter };
    this.dispatcher = new Dispatcher({ ...definition, ...holding, ...slots, feedback: this });
    const admission = { prefix, presence, dispatcher: this.dispatcher, ...holding };
    // The connection that settles: nothing works without it, while a member without the other one lacks only its tender.
    const partitions = places.map((place) => new Partition({ ...admission, redis: redis.publishFor(place.keys.log) }, place));
    this.#partitions = new Map(partitions.map((partition) => [partition.place, partition]));
    this.#rings = new RingWait({ rings: parts.rings, places, membership, feedback: this });
    const pauseMs = idlePauseMs(topic, presence.leaseMs);
    const common = { redis, member, membership, places, held: this.held, idlePauseMs: pauseMs, feedback: this };
    const control = redis.controlFor(places[0]!.keys.log);
    const reading = { way: this.#way, rings: this.#rings, control, dispatcher: this.dispatcher, partitions };
    this.fetcher = new Fetcher({ ...common, ...reading });
    this.#tender = new Tender({ ...common, prefix, presence });
    this.#watch = new GroupWatch({ ...common, partitions });
    this.#auditor = new Auditor({ ...common, leaseMs: presence.leaseMs });
    this.deadLetters = new DeadLetterDuties({ ...parts, partitions: places }, definition);
    this.pauses = new PauseControl(this.dispatcher, this.fetcher, this.deadLetters.hook);
  }

  get place(): GroupPartition {
    return this.#places[0]!;
  }

  /** Makes the group where there is none, joins it, and begins to fetch. */
  async join({ topic, group, start }: SubscriptionDefinition): Promise<void> {
    const origins = await this.#log.declareGroups(topic, group, start);
    // A group that was lost while nobody was here to see it is not new: the messages that it settled are still marked.
    this.#places.forEach((place, index) => {
      if (origins[index] === 'remade') this.givenAgain(place);
    });
    await this.deadLetters.hook?.declare();
    await this.#holdings.join(this.place);
    // A group that is paused is not read from.
    await this.#watch.look();
    await this.#tender.start();
    this.#watch.start();
    this.#auditor.start();
    this.fetcher.start();
    this.deadLetters.start();
  }

  /** Ends its loops, leaves its entries to others, and says goodbye. @returns false when it still holds entries */
  async leave(): Promise<boolean> {
    await Promise.all([this.#tender.stop(), this.#watch.stop(), this.#auditor.stop()]);
    const leaving = Promise.all([this.#holdings.leave(this.#places), this.deadLetters.leave()]);
    return leaving.then(([isForgotten]) => isForgotten, () => false);
  }

  /** The operator who paused the group may have moved it. */
  lookAtAll(): void {
    this.#rings.lookAtAll();
  }

  get isIdle(): boolean {
    return !this.#way.mayBlock && this.#rings.isListening && this.held.size === 0;
  }

  replayOf({ entry, offset }: PendingDelivery): number | null {
    return this.#historyOf(entry.stream.partition).replayAt(offset);
  }

  retryScheduled({ entry }: PendingDelivery): void {
    this.#tender.scheduled(entry.stream.partition);
  }

  deadLettered(): void {
    this.deadLetters.wake();
  }

  overFetched({ entry }: PendingDelivery): void {
    this.fetcher.overFetched(entry.stream.partition.streams[1]);
  }

  givenAgain(place: GroupPartition): void {
    this.#historyOf(place).givenAgain();
  }

  becameStale(): void {
    this.#tender.wakeToVerify();
  }

  returned(): void {
    this.#markHistoriesStale();
    this.held.markStale();
    this.#tender.wakeToVerify();
  }

  /** Redis knows members that have read entries. A member that holds no retry need not know that their stream is new. */
  async isLost({ streams: [log, retry] }: GroupPartition): Promise<boolean> {
    try {
      const [readsLog, readsRetries] = await Promise.all([this.#holdings.isReader(log), this.#holdings.isReader(retry)]);
      return !readsLog || (!readsRetries && this.held.idsIn(retry).length > 0);
    } catch {
      // Without an answer it counts as lost: making again a stream that is there changes nothing.
      return true;
    }
  }

  /** The held entries of the partition are gone; for good when the group was removed. */
  async recover(place: GroupPartition): Promise<void> {
    this.givenAgain(place);
    try {
      await this.#log.recover(place, place.group);
    } catch (error) {
      if (isMillraceError(error) && error.code === 'REMOVED') this.#removed(place, error);
      throw error;
    }
    this.held.markStale();
    this.#rings.lookAtAll();
    this.#tender.wakeToVerify();
  }

  async verify(): Promise<void> {
    await this.#holdings.join(this.place);
    await this.held.verify();
    this.dispatcher.goOn();
  }

  async rejoin(): Promise<void> {
    this.#markHistoriesStale();
    await this.verify();
    const streams = this.#places.flatMap((place) => place.streams);
    for (const stream of streams) await this.#holdings.putBackUnknown(stream, this.held.idsIn(stream));
  }

  async groupPaused(): Promise<void> {
    await this.pauses.pause('group');
    await this.pauses.drain();
  }

  groupResumed(): void {
    this.lookAtAll();
    // It may have been set back: what that made void is to be removed.
    this.#tender.wake();
    this.pauses.resume('group');
  }

  controlled(): void {
    this.#watch.wake();
  }

  due(place: GroupPartition, inMs: number): void {
    this.#tender.due(place, inMs);
  }

  /** Wakes the loops, which may be in the long pause of an idle member. */
  ringsMissed(): void {
    this.#watch.wake();
    this.#tender.wake();
    this.delayed();
  }

  membersChanged(): void {
    this.#tender.wake();
  }

  #historyOf(place: GroupPartition): Partition['history'] {
    return this.#partitions.get(place)!.history;
  }

  #markHistoriesStale(): void {
    for (const { history } of this.#partitions.values()) history.markStale();
  }

  /** A group that was removed does not come back by itself. */
  #removed(place: GroupPartition, error: MillraceError): void {
    this.held.lostOf(place, error);
    this.fetcher.lostSight(error.message);
  }
}
