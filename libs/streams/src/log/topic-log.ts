import { emit, MillraceError, newMessageId, type Position, type TopicDefinition } from '@millrace/core';
import { loadScript, type RedisConnection, type Topology } from '@millrace/redis';
import { groupKeys, partitionKeys, SETTLED_PAGE_OFFSETS, settledKey, topicsKey } from '../keys.js';
import { groupRemoved, topicRemoved } from '../remove/removed-error.js';
import { storedPartitions, Tombstones } from '../remove/tombstones.js';
import { assertMayRing } from '../ring/may-ring.js';
import { locate } from './locate.js';
import { formatError } from './log-format.js';
import { pairs } from './pairs.js';
import { PartitionCounts } from './partition-counts.js';
import { type CountNow, PartitionRaise } from './partition-raise.js';
import type { StoredCount } from './stored-count.js';

const declarePartition = loadScript('../scripts/declare-partition.lua', import.meta.url);
const declareGroup = loadScript('../scripts/declare-group.lua', import.meta.url);

/** Pages of a settled bitmap that are removed in one call: retention may have removed any number of the first ones. */
const PAGES_A_CALL = 1_000;

export type GroupOrigin = 'present' | 'new' | 'remade';

/** A process that starts (`boot`) makes a removed topic or group anew; one that goes on (`recovery`) only a lost one. */
export type Occasion = 'boot' | 'recovery';

/** Makes topics and groups exist in Redis. */
export class TopicLog {
  readonly #redis: Topology;
  readonly #prefix: string;
  readonly #tombstones: Tombstones;
  readonly #raise: PartitionRaise;
  readonly #counts: PartitionCounts;

  /** @param counts learns how many partitions the topics have */
  constructor(redis: Topology, prefix: string, counts = new PartitionCounts()) {
    this.#redis = redis;
    this.#prefix = prefix;
    this.#counts = counts;
    this.#raise = new PartitionRaise({
      redis,
      prefix,
      declarePartition: (place, partitions) => this.#declarePartition(place, { partitions, occasion: 'recovery' }),
      declareGroup: async (place, group) => {
        await this.#makeGroup(place, group, { start: 'earliest', occasion: 'recovery' });
      },
    });
    this.#tombstones = new Tombstones(redis, prefix);
  }

  /**
   * Makes the topic and its partitions, where they are not there; also when it was removed.
   *
   * @returns the topic with as many partitions as it has, which may be more than in code since it was raised
   * @throws MillraceError TOPIC_MISMATCH when the topic is stored with another number of partitions, and never had that in code;
   *   UNSUPPORTED_VERSION when its logs are of another format; REDIS_FAILED when this user may not ring in its channels
   */
  async declare(topic: TopicDefinition): Promise<TopicDefinition> {
    const removal = await this.#tombstones.inForce(topic.name);
    if (removal !== null) await this.#finishRemoval(topic, removal);
    const declared = await this.#declare(topic, 'boot');
    await assertMayRing(this.#redisOf({ topic: topic.name, partition: 0 }), this.#prefix, topic.name);
    return declared;
  }

  /**
   * Learns how many partitions the topic has, and finishes a raise under way: also one that the partition is held to while the
   * index has lost it. One that has lost it itself is held to it again.
   *
   * @throws MillraceError as {@link declare}
   */
  async learn(topic: TopicDefinition, partition = 0): Promise<TopicDefinition> {
    const { meta } = partitionKeys(this.#prefix, topic.name, partition);
    const held = Number(await this.#redis.controlFor(meta).call('HGET', meta, 'partitions'));
    const now = await this.#raise.settled(topic.name);
    const count = now.stored?.count ?? topic.partitions;
    if (held > count) return this.#learned(topic, await this.#raise.raise({ topic: topic.name, from: count, to: held }));
    if (held > 0 && held < count) await this.#declarePartition({ topic: topic.name, partition }, { partitions: count, occasion: 'recovery' });
    return this.#learned(topic, now);
  }

  /** Raises the number of partitions that the topic has. @returns the number that stands, and those before it */
  async raise(topic: TopicDefinition, counts: { readonly from: number; readonly to: number }): Promise<StoredCount | null> {
    const now = await this.#raise.raise({ topic: topic.name, ...counts });
    if (now.stored) this.#counts.learn(topic.name, now.stored, now.nowMs);
    return now.stored;
  }

  /**
   * Makes the topic again where Redis has lost it.
   *
   * @throws MillraceError as {@link declare}; REMOVED when the topic was removed
   */
  async restore(topic: TopicDefinition): Promise<void> {
    if ((await this.#tombstones.inForce(topic.name)) !== null) throw topicRemoved(topic.name);
    await this.#declare(topic, 'recovery');
  }

  /**
   * Makes the group in all partitions, where it is not there; at a start also when it was removed.
   *
   * @param start where a new group begins: at the entry in which that position lies
   * @returns for each partition `remade` when the group was known and had to be made again: it then reads settled messages again
   * @throws MillraceError REMOVED when the group was removed, and this is no start
   */
  async declareGroups(topic: TopicDefinition, group: string, { start = 'earliest', occasion }: Declaration): Promise<GroupOrigin[]> {
    const removal = occasion === 'boot' ? await this.#tombstones.inForce(topic.name, group) : null;
    if (removal !== null) await this.#tombstones.finishGroup(topic, group, removal);
    const places = partitionsOf(topic).map((partition) => ({ topic: topic.name, partition }));
    return Promise.all(places.map(async (place) => {
      await this.#declarePartition(place, { partitions: topic.partitions, occasion });
      return this.#makeGroup(place, group, { start, occasion });
    }));
  }

  /**
   * Makes again the streams and the group that Redis has lost, and emits `recreated`.
   *
   * @throws MillraceError REMOVED when the group was removed, or its topic
   */
  async recover(place: Place, group: string): Promise<GroupOrigin> {
    const { stored } = await this.#raise.settled(place.topic);
    await this.#declarePartition(place, { partitions: stored?.count ?? 0, occasion: 'recovery' });
    const origin = await this.#makeGroup(place, group, { start: 'earliest', occasion: 'recovery' });
    // Callers have more in their places than an event may hold.
    const { topic, partition } = place;
    if (origin !== 'present') emit('recreated', { topic, partition, group, why: 'Redis no longer had the stream or its group' });
    return origin;
  }

  async #finishRemoval({ name, partitions }: TopicDefinition, removal: string): Promise<void> {
    const key = topicsKey(this.#prefix);
    const stored = await this.#redis.controlFor(key).call('HGET', key, name);
    await this.#tombstones.finishTopic({ name, partitions: storedPartitions(stored) ?? partitions }, removal);
  }

  async #declare(topic: TopicDefinition, occasion: Occasion): Promise<TopicDefinition> {
    const key = topicsKey(this.#prefix);
    await this.#redis.controlFor(key).call('HSETNX', key, topic.name, topic.partitions);
    const declared = this.#learned(topic, await this.#raise.settled(topic.name));
    const { name, partitions } = declared;
    const declare = (partition: number): Promise<void> =>
      this.#declarePartition({ topic: name, partition }, { partitions, occasion });
    await Promise.all(partitionsOf(declared).map(declare));
    return declared;
  }

  #learned(topic: TopicDefinition, { stored, nowMs }: CountNow): TopicDefinition {
    if (stored === null) return topic;
    const mayHave = [stored, ...stored.earlier].map(({ count }) => count);
    if (!mayHave.includes(topic.partitions)) throw mismatch(topic, stored.count);
    this.#counts.learn(topic.name, stored, nowMs);
    return { ...topic, partitions: stored.count };
  }

  async #declarePartition(place: Place, { partitions, occasion }: { partitions: number; occasion: Occasion }): Promise<void> {
    const { log, meta, groups, removed } = partitionKeys(this.#prefix, place.topic, place.partition);
    const keys = [log, meta, groups, removed];
    const declare = async (cleared: '0' | '1'): Promise<unknown> =>
      this.#redisOf(place).run(declarePartition, keys, [newMessageId(), cleared, flagOf(occasion), partitions]);
    const reply = await declare('0');
    if (reply === 'REMOVED') throw topicRemoved(place.topic);
    const refused = formatError(log, reply);
    if (refused) throw refused;
    if (reply !== 'ORPHANS') return;
    await this.#clearGroups(place);
    await declare('1');
  }

  async #makeGroup(place: Place, group: string, { start = 'earliest', occasion }: Declaration): Promise<GroupOrigin> {
    const { log, groups, meta, removed } = partitionKeys(this.#prefix, place.topic, place.partition);
    const { again, stats, control } = groupKeys(this.#prefix, place, group);
    const after = start === 'earliest' ? '' : await this.#placeOf(place, start);
    const keys = [log, groups, again, meta, stats, removed, control];
    const reply = (await this.#redisOf(place).run(declareGroup, keys, [group, after, flagOf(occasion)])) as GroupOrigin | 'REMOVED';
    if (reply === 'REMOVED') throw groupRemoved(place.topic, group);
    return reply;
  }

  /** A log that begins anew uses its offsets again: the groups' data about them is about other messages. */
  async #clearGroups(place: Place): Promise<void> {
    const { groups } = partitionKeys(this.#prefix, place.topic, place.partition);
    const redis = this.#redisOf(place);
    for (const [group, start] of pairs((await redis.call('HGETALL', groups)) as string[])) {
      await this.#clearSettled({ ...place, group }, Math.floor(Number(start) / SETTLED_PAGE_OFFSETS));
      const { stats, open, due, body, again, begun, control } = groupKeys(this.#prefix, place, group);
      await redis.call('UNLINK', stats, open, due, body, again, begun);
      // A pause stays: an operator asked for it, and offsets are no part of it.
      await redis.call('HDEL', control, 'replays', 'replayFrom', 'replayUntil', 'void', 'owner', 'remade');
      await redis.call('HSET', groups, group, 0);
      emit('recreated', { topic: place.topic, partition: place.partition, group, why: 'Redis no longer had the log nor its count: the offsets begin anew' });
    }
  }

  /** Pages are consecutive from the group's start on; retention may have removed the first ones. */
  async #clearSettled(place: Place & { group: string }, firstPage: number): Promise<void> {
    const redis = this.#redisOf(place);
    let page = 0;
    for (let removed = 1; removed > 0 || page <= firstPage; page += PAGES_A_CALL) {
      const numbers = Array.from({ length: PAGES_A_CALL }, (_, index) => page + index);
      removed = Number(await redis.call('UNLINK', ...numbers.map((number) => settledKey(this.#prefix, place, number * SETTLED_PAGE_OFFSETS))));
    }
  }

  async #placeOf(place: Place, start: Position): Promise<string> {
    const { after } = await locate(this.#redisOf(place), partitionKeys(this.#prefix, place.topic, place.partition), start);
    return after;
  }

  #redisOf({ topic, partition }: Place): RedisConnection {
    return this.#redis.controlFor(partitionKeys(this.#prefix, topic, partition).log);
  }
}

interface Declaration {
  /** Default `'earliest'`. */
  readonly start?: Position | undefined;
  readonly occasion: Occasion;
}

export interface Place {
  readonly topic: string;
  readonly partition: number;
}

export function partitionsOf(topic: TopicDefinition): number[] {
  return Array.from({ length: topic.partitions }, (_, partition) => partition);
}

function flagOf(occasion: Occasion): '0' | '1' {
  return occasion === 'boot' ? '1' : '0';
}

function mismatch({ name, partitions }: TopicDefinition, stored: number): MillraceError {
  const advice =
    partitions > stored
      ? `Raise it with Topics.raisePartitions(topic, { from: ${stored}, to: ${partitions} }) before processes with this code start`
      : `It never becomes less, since the partition of a key follows from it: set partitions: ${stored}, or use another topic name`;
  return new MillraceError('TOPIC_MISMATCH', `Topic '${name}' has ${stored} partitions in Redis, but @Topic says ${partitions}. ${advice}.`);
}
