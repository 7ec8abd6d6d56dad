import { assertName, isName, knownHint, MillraceError, type TopicDefinition, type TopicRef, topicOfRef } from '@millrace/core';
import { loadScript, type Topology } from '@millrace/redis';
import { groupKeys, partitionKeys, topicsKey } from '../keys.js';
import { type MemberPresence, presenceOf } from '../group/group-members.js';
import { lastSeen, silenceOf } from '../log/group-silence.js';
import { assertGroup, unknownGroup } from '../log/known-group.js';
import { pairs } from '../log/pairs.js';
import { PartitionCounts } from '../log/partition-counts.js';
import { storedCount } from '../log/stored-count.js';
import type { Place } from '../log/topic-log.js';
import { assertPartition } from '../log/known-partition.js';
import { type DeliveryState, deliveryState, type StoredPlace } from './delivery-state.js';
import { pendingMessages, type PendingPage, type PendingRange } from './pending-messages.js';
import { Tombstones } from '../remove/tombstones.js';
import { type DeadLetterRecord, readOldest } from '../redeliver/dead-letter-record.js';

const inspect = loadScript('../scripts/inspect.lua', import.meta.url);

/** The state of a group on a topic, summed over its partitions, in messages. */
export interface GroupState {
  /** Handled, counting those that were deduplicated, discarded or filtered, or had expired. */
  readonly handled: number;
  /** Handled ones that the inbox knew, so that the handler did not run again. */
  readonly deduplicated: number;
  /** Handled ones that the handler discarded on purpose. */
  readonly discarded: number;
  /** Handled ones that were past their time to live, so that the handler did not run. */
  readonly expired: number;
  /** Handled ones that were not for this subscription, by its filter or by their type, so that the handler did not run. */
  readonly filtered: number;
  /** Put back from processes that vanished. */
  readonly redelivered: number;
  /** Attempts that failed and were scheduled again. */
  readonly retried: number;
  /** Given up since the group began. */
  readonly deadLettered: number;
  /** Present dead letters: given up, and neither redriven nor discarded since. */
  readonly deadLetters: number;
  /** Dead letters that were put back to this group or to the topic. */
  readonly redriven: number;
  /** Dead letters for which the handler of dead letters failed, up to its last attempt. */
  readonly hookFailed: number;
  /** Dead letters that were removed or put back before they were reported to the handler of dead letters. */
  readonly untold: number;
  /** Dead letters that were removed because there were too many, or were too old. */
  readonly deadLettersDropped: number;
  /** Gone from Redis before the group was done with them. They count as settled: the lag has only those that can be handled. */
  readonly lost: number;
  /** Dropped unsettled by the topic's retention, as its `overflow` allows. They count as settled, too. */
  readonly dropped: number;
  /** Settlements that were refused because the message belonged to another member. */
  readonly fenced: number;
  /** Published since the group started and neither handled, dead-lettered nor put aside yet. */
  readonly lag: number;
  /** Age of the oldest message of the lag by Redis's clock, in seconds: 0 without a lag, null when unknown. */
  readonly lagSeconds: number | null;
  /** The part of the lag that members hold, in entries. */
  readonly pending: number;
  /** The part of the lag that waits for its next attempt. */
  readonly retrying: number;
  /** Put aside until an operator releases their keys, and not done since. They are no part of the lag. */
  readonly parked: number;
  /** Messages and jobs that handlers of settled messages forwarded, and that are on their way. They are no part of the lag. */
  readonly forwarding: number;
}

/** A topic that was declared under the prefix. */
export interface KnownTopic {
  readonly name: string;
  readonly partitions: number;
}

/** A group of a topic. */
export interface KnownGroup {
  readonly name: string;
  /** When a member was last seen, by Redis's clock; null when none ever was. A living one is seen each second or more often. */
  readonly seen: Date | null;
}

const COUNTERS = [
  'settled', 'handled', 'deduplicated', 'discarded', 'expired', 'filtered', 'redelivered', 'retried', 'deadLettered', 'redriven', 'hookFailed', 'untold',
  'deadLettersDropped', 'lost', 'dropped', 'fenced',
] as const;
type Counters = Record<(typeof COUNTERS)[number], number>;

type Reply = [
  next: number, start: string | null, pending: number, retrying: number, ageMs: number, dead: number, parked: number,
  forwarding: number,
  ...counters: number[],
];

const MAX_DEAD_LETTERS = 10_000;

/** Reads the state of topics and groups; changes nothing. */
export class Inspector {
  readonly #redis: Topology;
  readonly #prefix: string;
  readonly #counts: PartitionCounts;

  /** @param counts how many partitions the topics are known to have; without it, those in code */
  constructor(redis: Topology, prefix: string, counts = new PartitionCounts()) {
    this.#redis = redis;
    this.#prefix = prefix;
    this.#counts = counts;
  }

  /** All topics of the prefix, by their names, those included whose removal was interrupted. */
  async topics(): Promise<KnownTopic[]> {
    const key = topicsKey(this.#prefix);
    const topics = pairs((await this.#redis.controlFor(key).call('HGETALL', key)) as string[]);
    return topics.map(([name, text]) => ({ name, partitions: storedCount(text)?.count ?? Number.NaN })).sort(byName);
  }

  /**
   * One topic of the prefix by its name: its number of partitions is NaN where the index is damaged.
   *
   * @throws MillraceError INVALID_NAME, UNKNOWN_TOPIC
   */
  async topic(name: string): Promise<KnownTopic> {
    assertName('topic', name);
    const key = topicsKey(this.#prefix);
    const text = await this.#redis.controlFor(key).call('HGET', key, name);
    if (text === null) throw await this.#unknownTopic(name);
    return { name, partitions: storedCount(text)?.count ?? Number.NaN };
  }

  /**
   * All groups of a topic, by their names.
   *
   * @throws MillraceError NOT_A_TOPIC
   */
  async groups(topic: TopicRef): Promise<KnownGroup[]> {
    const place = { topic: topicOfRef(topic).name, partition: 0 };
    const { groups } = partitionKeys(this.#prefix, place.topic, 0);
    const redis = this.#redis.controlFor(groups);
    const names = (await redis.call('HKEYS', groups)) as string[];
    const seen = await Promise.all(names.sort().map((name) => lastSeen(redis, groupKeys(this.#prefix, place, name).stats)));
    return names.map((name, index) => ({ name, seen: dateOf(seen[index] ?? null) }));
  }

  /** @throws MillraceError UNKNOWN_GROUP when the group never subscribed to the topic; NOT_A_TOPIC */
  async group(topic: TopicRef, group: string): Promise<GroupState> {
    const target = { topic: topicOfRef(topic), group };
    if (!isName(group)) throw await unknownGroup(this.#redis, this.#prefix, target);
    const [states, removal] = await Promise.all([
      this.partitions(target.topic, group),
      new Tombstones(this.#redis, this.#prefix).inForce(target.topic.name, group),
    ]);
    if (removal !== null || !states.every((state) => state !== null)) throw await unknownGroup(this.#redis, this.#prefix, target);
    return sumStates(states);
  }

  /**
   * The state of a group in each partition; null where the group is not there.
   *
   * @throws MillraceError NOT_A_TOPIC
   */
  partitions(topic: TopicRef, group: string): Promise<(GroupState | null)[]> {
    return Promise.all(placesOf(this.#counts.topicOf(topicOfRef(topic))).map((place) => this.#partition(place, group)));
  }

  /**
   * The oldest dead letters of a group, up to `limit` a partition.
   *
   * @throws MillraceError NOT_A_TOPIC, UNKNOWN_GROUP; INVALID_OPTIONS when the limit is no whole number from 1 to 10,000
   */
  async deadLetters(topic: TopicRef, group: string, limit = 100): Promise<DeadLetterRecord[]> {
    assertLimit(limit);
    await assertGroup(this.#redis, this.#prefix, { topic: topicOfRef(topic), group });
    const places = placesOf(this.#counts.topicOf(topicOfRef(topic))).map((place) => ({ ...place, prefix: this.#prefix, group }));
    const pages = places.map((place) => readOldest(this.#redis, place, limit));
    return (await Promise.all(pages)).flat();
  }

  /**
   * The state of a message that is in the log in a group.
   *
   * @throws MillraceError NOT_A_TOPIC
   */
  delivery(topic: TopicRef, group: string, place: Omit<StoredPlace, 'topic'>): Promise<DeliveryState> {
    return deliveryState(this.#redis, this.#prefix, { ...place, topic: topicOfRef(topic).name, group });
  }

  /**
   * Messages that members of a group hold, as many as one call may look at.
   *
   * @throws MillraceError NOT_A_TOPIC, INVALID_OPTIONS when the topic has no such partition
   */
  pending(topic: TopicRef, group: string, range: PendingRange): Promise<PendingPage> {
    const known = this.#counts.topicOf(topicOfRef(topic));
    assertPartition(known, range.partition, 'pending()');
    return pendingMessages(this.#redis, this.#prefix, { ...range, topic: known.name, group });
  }

  /** The last sign of life of a member of any group, or of an instance of a service, by its name. */
  presence(member: string): Promise<MemberPresence> {
    return presenceOf({ redis: this.#redis, prefix: this.#prefix }, member);
  }

  /**
   * How long no member of a group has given a sign of life, in milliseconds by Redis's clock. A living one gives it
   * each second, and three times in a lease where that is shorter; while it is idle, about every two leases or 30 seconds. Null
   * when none ever has.
   *
   * @throws MillraceError NOT_A_TOPIC
   */
  async silentMs(topic: TopicRef, group: string): Promise<number | null> {
    const { stats } = groupKeys(this.#prefix, { topic: topicOfRef(topic).name, partition: 0 }, group);
    return silenceOf(this.#redis.controlFor(stats), stats);
  }

  async #unknownTopic(name: string): Promise<MillraceError> {
    const key = topicsKey(this.#prefix);
    const known = (await this.#redis.controlFor(key).call('HKEYS', key)) as string[];
    return new MillraceError('UNKNOWN_TOPIC', `There is no topic '${name}' here${knownHint(name, known)} A topic is there once a process declares it.`);
  }

  /**
   * Reads all counts at one moment: a message that is published and settled between two reads would make the lag negative. Null
   * when the group is not there.
   */
  async #partition(place: Place, group: string): Promise<GroupState | null> {
    const { meta, groups, log } = partitionKeys(this.#prefix, place.topic, place.partition);
    const { stats, due, again, open, dead, parked: aside, forward } = groupKeys(this.#prefix, place, group);
    const keys = [meta, groups, stats, due, log, again, open, dead, aside, forward];
    const reply = await this.#redis.controlFor(log).run(inspect, keys, [group, ...COUNTERS]);
    const [next, start, pending, retrying, ageMs, deadLetters, parked, forwarding, ...counters] = reply as Reply;
    if (start === null) return null;
    const { settled, ...counts } = countersOf(counters);
    // Damaged counters may be too high until the audit has corrected them.
    const lag = Math.max(0, next - Number(start) - settled);
    return { ...counts, deadLetters, lag, lagSeconds: secondsOf(lag, ageMs), pending, retrying, parked, forwarding };
  }
}

function placesOf({ name, partitions }: TopicDefinition): Place[] {
  return Array.from({ length: partitions }, (_, partition) => ({ topic: name, partition }));
}

function dateOf(ms: number | null): Date | null {
  return ms === null ? null : new Date(ms);
}

function byName(one: KnownTopic, other: KnownTopic): number {
  return one.name < other.name ? -1 : 1;
}

function assertLimit(limit: unknown): void {
  if (Number.isSafeInteger(limit) && Number(limit) >= 1 && Number(limit) <= MAX_DEAD_LETTERS) return;
  const problem = `deadLetters(): limit must be a whole number from 1 to ${MAX_DEAD_LETTERS}`;
  throw new MillraceError('INVALID_OPTIONS', `${problem}. DeadLetters.list() takes ids, partitions and reasons.`);
}

function countersOf(values: readonly number[]): Counters {
  return Object.fromEntries(COUNTERS.map((name, index) => [name, values[index] ?? 0])) as Counters;
}

function secondsOf(lag: number, ageMs: number): number | null {
  if (lag === 0) return 0;
  return ageMs < 0 ? null : ageMs / 1_000;
}

/** Sums the states of a group on several topics or partitions. There must be one at least. */
export function sumStates(states: readonly GroupState[]): GroupState {
  return states.reduce(sum);
}

function sum(a: GroupState, b: GroupState): GroupState {
  const names = Object.keys(a) as (keyof GroupState)[];
  const sums = Object.fromEntries(names.map((name) => [name, Number(a[name]) + Number(b[name])])) as unknown as GroupState;
  const isKnown = a.lagSeconds !== null && b.lagSeconds !== null;
  return { ...sums, lagSeconds: isKnown ? Math.max(a.lagSeconds, b.lagSeconds) : null };
}
