import {
  type ErrorRecord, type GiveUpReason, MillraceError, parseOptions, type TopicDefinition, type TopicRef, topicOfRef,
} from '@millrace/core';
import { loadScript, type RedisConnection, type Topology } from '@millrace/redis';
import { type GroupPartition, groupPartition } from '../consume/group-partition.js';
import { messageOfEnvelope } from '../log/envelope.js';
import { assertGroup } from '../log/known-group.js';
import { assertPartition } from '../log/known-partition.js';
import type { PartitionCounts } from '../log/partition-counts.js';
import { partitionsOf } from '../log/topic-log.js';
import { GoOnOptions, ReleaseOptions } from './order-options.js';
import { stoppedAtIn } from './owner-notes.js';
import { parkedKeysOf, type ParkedState } from './parked-keys.js';
import { type ParkedText, parkedTextIn } from './parked-messages.js';
import { namesOf, parkedKey } from './parked-names.js';

const releaseKey = loadScript('../scripts/release-key.lua', import.meta.url);
const goOn = loadScript('../scripts/go-on.lua', import.meta.url);

/** Most keys of one partition in a list. */
const MOST_KEYS = 1_000;
/** Among so many messages of a key, a list looks for the one at which the key waits. */
const MOST_BEFORE = 100;

/** A key of which messages are put aside. */
export interface ParkedKey {
  readonly key: string;
  readonly partition: number;
  /** `released`: its messages are being handled. */
  readonly state: ParkedState;
  readonly messages: number;
  /**
   * The message at which the key waits, or the next one while it is released: its id, and its offset in the partition; null where
   * there is none any more, or it cannot be read.
   */
  readonly messageId: string | null;
  readonly offset: number | null;
  /** Why it was given up; null for one that only came behind such a message, which has been handled since. */
  readonly reason: GiveUpReason | null;
  readonly error: ErrorRecord | null;
  readonly parkedAt: Date | null;
}

/** A partition that stopped at a message. */
export interface StoppedPartition {
  readonly partition: number;
  /** The id of the message; null when it cannot be read. */
  readonly messageId: string | null;
  /** The offset of the message; null where it has none. */
  readonly offset: number | null;
  readonly reason: GiveUpReason;
  readonly error: ErrorRecord;
}

/** For operators of ordered groups: what waits for them, and how it goes on. */
export class Orders {
  readonly #redis: Topology;
  readonly #prefix: string;
  readonly #counts: PartitionCounts;

  constructor(redis: Topology, prefix: string, counts: PartitionCounts) {
    this.#redis = redis;
    this.#prefix = prefix;
    this.#counts = counts;
  }

  /**
   * Keys of which messages are put aside, up to 1,000 a partition, in no order.
   *
   * @throws MillraceError NOT_A_TOPIC, UNKNOWN_GROUP
   */
  async parked(topic: TopicRef, group: string): Promise<ParkedKey[]> {
    const places = await this.#placesOf(this.#topicOf(topic), group);
    return (await Promise.all(places.map((place) => this.#parkedIn(place)))).flat();
  }

  /**
   * Has the messages of a key handled that were put aside, in their order, but for the one at which the key waits when that is to
   * become a dead letter. Messages of the key that come meanwhile are handled after them.
   *
   * @throws MillraceError KEY_NOT_PARKED no message of the key is put aside, or they are released already; NOT_A_TOPIC,
   *   INVALID_OPTIONS, UNKNOWN_GROUP
   */
  async release(topic: TopicRef, group: string, options: ReleaseOptions): Promise<void> {
    const { key, message } = parseOptions(ReleaseOptions, options, 'release()');
    const places = await this.#placesOf(this.#topicOf(topic), group);
    const releaseIn = ({ groupKeys: { parkedKeys, control, parked, parkedText }, ...place }: GroupPartition): Promise<unknown> =>
      this.#redisOf(place).run(releaseKey, [parkedKeys, control, parked, parkedText], [group, parkedKey(key), message]);
    const replies = await Promise.all(places.map(releaseIn));
    if (!replies.includes(1)) throw notParked({ topic: topicOfRef(topic).name, group, key }, replies.includes(-1));
  }

  /**
   * Partitions that stopped at a message.
   *
   * @throws MillraceError NOT_A_TOPIC, UNKNOWN_GROUP
   */
  async stopped(topic: TopicRef, group: string): Promise<StoppedPartition[]> {
    const places = await this.#placesOf(this.#topicOf(topic), group);
    return (await Promise.all(places.map((place) => this.#stoppedAt(place)))).filter((stopped) => stopped !== null);
  }

  /**
   * Lets a partition go on that stopped at a message.
   *
   * @throws MillraceError PARTITION_NOT_STOPPED; NOT_A_TOPIC, INVALID_OPTIONS, UNKNOWN_GROUP
   */
  async goOn(topic: TopicRef, group: string, options: GoOnOptions): Promise<void> {
    const { partition, message } = parseOptions(GoOnOptions, options, 'goOn()');
    const definition = this.#topicOf(topic);
    assertPartition(definition, partition, 'goOn()');
    const place = (await this.#placesOf(definition, group))[partition]!;
    if ((await this.#redisOf(place).run(goOn, [place.groupKeys.control], [group, message])) === 1) return;
    const where = `Partition ${partition} of topic '${place.topic}'`;
    throw new MillraceError('PARTITION_NOT_STOPPED', `${where} has not stopped for group '${group}', or goes on already.`);
  }

  async #parkedIn(place: GroupPartition): Promise<ParkedKey[]> {
    const keys = [...(await parkedKeysOf(this.#redisOf(place), place, MOST_KEYS))].slice(0, MOST_KEYS);
    return Promise.all(keys.map(([key, state]) => this.#parkedKey(place, key, state)));
  }

  async #parkedKey(place: GroupPartition, key: string, state: ParkedState): Promise<ParkedKey> {
    const messages = Number(await this.#redisOf(place).call('ZLEXCOUNT', place.groupKeys.parked, ...namesOf(key)));
    const [first = null] = await this.#textsOf(place, key, 1);
    // One that was redriven may be before the message at which the key waits.
    const isBefore = state === 'parked' && first?.givenUp === null;
    const waitsAt = isBefore ? (await this.#textsOf(place, key, MOST_BEFORE)).find((text) => text?.givenUp) : first;
    return { key, partition: place.partition, state, messages, ...wordsOf(waitsAt ?? first) };
  }

  /** The first messages of a key; null for one that is damaged. */
  async #textsOf(place: GroupPartition, key: string, most: number): Promise<(ParkedText | null)[]> {
    const [redis, { parked, parkedText }] = [this.#redisOf(place), place.groupKeys];
    const names = (await redis.call('ZRANGE', parked, ...namesOf(key), 'BYLEX', 'LIMIT', 0, most)) as string[];
    const texts = names.length > 0 ? ((await redis.call('HMGET', parkedText, ...names)) as (string | null)[]) : [];
    return texts.map((text) => (text === null ? null : parkedTextIn(text)));
  }

  async #stoppedAt(place: GroupPartition): Promise<StoppedPartition | null> {
    const stopped = stoppedAtIn((await this.#redisOf(place).call('HGET', place.groupKeys.control, 'stopped')) as string | null);
    if (!stopped) return null;
    const { name, messageId, givenUp: { reason, error } } = stopped;
    return { partition: place.partition, messageId, offset: /^\d+$/.test(name) ? Number(name) : null, reason, error };
  }

  #topicOf(topic: TopicRef): TopicDefinition {
    return this.#counts.topicOf(topicOfRef(topic));
  }

  async #placesOf(topic: TopicDefinition, group: string): Promise<GroupPartition[]> {
    await assertGroup(this.#redis, this.#prefix, { topic, group });
    return partitionsOf(topic).map((partition) => groupPartition(this.#prefix, { topic: topic.name, partition }, group));
  }

  #redisOf({ keys }: Pick<GroupPartition, 'keys'>): RedisConnection {
    return this.#redis.controlFor(keys.log);
  }
}

/** Tells an operator of a message of a key. */
function wordsOf(found: ParkedText | null): Pick<ParkedKey, 'messageId' | 'offset' | 'reason' | 'error' | 'parkedAt'> {
  if (!found) return { messageId: null, offset: null, reason: null, error: null, parkedAt: null };
  const { envelope, offset, givenUp, parkedAt } = found;
  const id = messageOfEnvelope(envelope).id || null;
  const since = Number.isFinite(parkedAt) ? new Date(parkedAt) : null;
  const why = { reason: givenUp?.reason ?? null, error: givenUp?.error ?? null };
  return { messageId: id, offset: offset < 0 ? null : offset, parkedAt: since, ...why };
}

function notParked({ topic, group, key }: { topic: string; group: string; key: string }, isReleased: boolean): MillraceError {
  const why = isReleased ? 'are released already, and are being handled' : 'are not put aside: there are none, or they have been handled';
  return new MillraceError('KEY_NOT_PARKED', `Messages of key '${key}' of topic '${topic}' ${why}, for group '${group}'. Nothing was changed.`);
}
