import type { SubscriptionDefinition } from '@millrace/core';
import { Breaker } from '../break/breaker.js';
import { BrokenMembers } from '../break/broken-members.js';
import { Membership } from '../group/membership.js';
import { OutcomeRoutes } from '../durable/outcome-routes.js';
import { Forwarder } from '../forward/forwarder.js';
import { groupKeys, rateKey } from '../keys.js';
import { partitionsOf } from '../log/topic-log.js';
import { Fetcher } from '../read/fetcher.js';
import { ReadWay } from '../read/read-way.js';
import { RingWait } from '../read/ring-wait.js';
import { Dispatcher } from './dispatcher.js';
import type { Feedback } from './feedback.js';
import { type GroupPartition, groupPartition } from './group-partition.js';
import type { Handling } from './handling.js';
import { HeldEntries } from './held-entries.js';
import { Holdings } from './holdings.js';
import { Member, type MemberParts } from './member.js';
import { Partition } from './partition.js';
import { PauseControl } from './pause-control.js';
import type { PendingDelivery } from './pending-delivery.js';
import { RateLimiter } from './rate-limiter.js';
import { Settler } from './settler.js';
import { Upkeep } from './upkeep.js';

/** A member of a group whose members share all partitions: each message goes to whoever has a free slot. */
export class SharedMember extends Member {
  readonly held: HeldEntries;
  readonly settler: Settler;
  readonly forwarder: Forwarder;
  readonly dispatcher: Dispatcher;
  readonly fetcher: Fetcher;
  readonly pauses: PauseControl;
  protected readonly breaker: Breaker | undefined;
  protected readonly holdings: Holdings;
  protected readonly upkeep: Upkeep;
  protected readonly rings: RingWait;
  protected readonly partitions: ReadonlyMap<GroupPartition, Partition>;
  readonly #way: ReadWay;

  constructor(parts: MemberParts, definition: SubscriptionDefinition, handling: Handling) {
    const { redis, prefix, member, presence } = parts;
    const places = placesOf(prefix, definition);
    super(parts, places);
    const membership = new Membership(member, presence);
    const way = new ReadWay(redis, places, parts.readers);
    const holdings = new Holdings({ redis, prefix, member });
    const held = new HeldEntries({ holdings, way, presence, feedback: this });
    const { durability } = definition;
    const { sender, onSettled } = parts;
    const names = (): readonly string[] => membership.names;
    const forwarder = new Forwarder({ redis, member, sender, jobs: definition.forwardedJobs, durability, presence, names });
    const outcomes = new OutcomeRoutes(redis, durability);
    const settler = new Settler({ redis, prefix, member, held, outcomes, forwarder, feedback: this, onSettled });
    const holding = { held, settler, holdings };
    const breaker = breakerOf(parts, definition, this);
    const slots = { handling, breaker, rateLimiter: rateLimiterOf(parts, definition) };
    const dispatcher = new Dispatcher({ ...definition, ...parts, ...holding, ...slots, feedback: this });
    // The connection that settles: nothing works without it, while a member without the other one lacks only its tender.
    const partitionOf = (place: GroupPartition): Partition =>
      new Partition({ prefix, presence, dispatcher, ...holding, redis: redis.publishFor(place.keys.log) }, place);
    const partitions = places.map(partitionOf);
    const rings = new RingWait({ rings: parts.rings, places, membership, feedback: this });
    const control = redis.controlFor(places[0]!.keys.log);
    const fetcher = new Fetcher({ way, rings, membership, control, member, partitions, dispatcher, held, feedback: this });
    this.held = held;
    this.settler = settler;
    this.forwarder = forwarder;
    this.dispatcher = dispatcher;
    this.breaker = breaker;
    this.fetcher = fetcher;
    this.holdings = holdings;
    this.rings = rings;
    this.#way = way;
    this.partitions = new Map(partitions.map((partition) => [partition.place, partition]));
    const tended = { isOrdered: false, membership, places, held, partitions, forwarder, feedback: this };
    this.upkeep = new Upkeep({ ...parts, ...tended }, definition);
    const giveBack = (): void => dispatcher.release(dispatcher.takeWaiting());
    this.pauses = new PauseControl({ dispatcher, fetcher, hook: this.deadLetters.hook, giveBack });
  }

  get isIdle(): boolean {
    return !this.#way.mayBlock && this.rings.isListening && this.held.size === 0;
  }

  /** It may read from any partition. */
  protected enter(): Promise<void> {
    return Promise.resolve();
  }

  /** It holds nothing that others wait for, but for messages. */
  finish(): Promise<void> {
    return Promise.resolve();
  }

  controlled(): void {
    this.operated();
  }

  handedOver(): boolean {
    return false;
  }

  overFetched({ entry }: PendingDelivery): void {
    this.fetcher.overFetched(entry.stream.partition.streams[1]);
  }

  givenAgain(place: GroupPartition): void {
    this.historyOf(place).givenAgain();
  }

  returned(): void {
    this.markHistoriesStale();
    this.held.markStale();
    this.upkeep.tender.wakeToVerify();
  }

  /** Redis knows members that have read entries. A member that holds no retry need not know that their stream is new. */
  async isLost({ streams: [log, retry] }: GroupPartition): Promise<boolean> {
    try {
      const [readsLog, readsRetries] = await Promise.all([this.holdings.isReader(log), this.holdings.isReader(retry)]);
      return !readsLog || (!readsRetries && this.held.idsIn(retry).length > 0);
    } catch {
      // Without an answer it counts as lost: making again a stream that is there changes nothing.
      return true;
    }
  }

  protected recovered(): void {
    this.held.markStale();
  }

  verify(): Promise<void> {
    return this.#verify(this.places);
  }

  async rejoin(places: readonly GroupPartition[]): Promise<void> {
    this.markHistoriesStale(places);
    await this.#verify(places);
    const streams = places.flatMap((place) => place.streams);
    for (const stream of streams) await this.holdings.putBackUnknown(stream, this.held.idsIn(stream));
  }

  async #verify(places: readonly GroupPartition[]): Promise<void> {
    await this.confirm();
    await this.held.verify(places);
    this.dispatcher.goOn();
  }
}

/** All partitions of a subscription, in the order of their numbers. */
export function placesOf(prefix: string, { topic, group }: SubscriptionDefinition): GroupPartition[] {
  return partitionsOf(topic).map((partition) => groupPartition(prefix, { topic: topic.name, partition }, group));
}

export function breakerOf(
  { redis, prefix, member }: MemberParts,
  definition: SubscriptionDefinition,
  feedback: Feedback,
): Breaker | undefined {
  const { topic: { name: topic }, group, breaker: rule } = definition;
  if (!rule) return undefined;
  const { broken: key } = groupKeys(prefix, { topic, partition: 0 }, group);
  return new Breaker({ rule, topic, group, member, broken: new BrokenMembers(redis.controlFor(key), key), feedback });
}

export function rateLimiterOf({ redis, prefix }: MemberParts, definition: SubscriptionDefinition): RateLimiter | undefined {
  const { topic, group, rateLimit: limit } = definition;
  const key = rateKey(prefix, topic.name, group);
  return limit && new RateLimiter({ redis: redis.publishFor(key), key, limit, topic: topic.name, group });
}
