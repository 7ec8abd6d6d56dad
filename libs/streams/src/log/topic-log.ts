import { emit, MillraceError, newMessageId, type TopicDefinition } from '@millrace/core';
import { loadScript, type RedisConnection } from '@millrace/redis';
import { groupKeys, partitionKeys, topicKey } from '../keys.js';

const declarePartition = loadScript('../scripts/declare-partition.lua', import.meta.url);
const declareGroup = loadScript('../scripts/declare-group.lua', import.meta.url);

export type GroupOrigin = 'present' | 'new' | 'remade';

/** Makes topics and groups exist in Redis. */
export class TopicLog {
  readonly #redis: RedisConnection;
  readonly #prefix: string;

  constructor(redis: RedisConnection, prefix: string) {
    this.#redis = redis;
    this.#prefix = prefix;
  }

  /**
   * Makes the topic and its partitions, where they are not there.
   *
   * @throws MillraceError TOPIC_MISMATCH when the topic is stored with another number of partitions
   */
  async declare(topic: TopicDefinition): Promise<void> {
    const key = topicKey(this.#prefix, topic.name);
    await this.#redis.call('HSETNX', key, 'partitions', topic.partitions);
    const stored = Number(await this.#redis.call('HGET', key, 'partitions'));
    if (stored !== topic.partitions) throw mismatch(topic, stored);
    await Promise.all(partitionsOf(topic).map((partition) => this.declarePartition(topic.name, partition)));
  }

  /** Makes one partition, where it is not there. */
  async declarePartition(topic: string, partition: number): Promise<void> {
    const keys = partitionKeys(this.#prefix, topic, partition);
    await this.#redis.run(declarePartition, [keys.log, keys.meta], [newMessageId()]);
  }

  /**
   * Makes the group in one partition, and the partition itself, where they are not there.
   *
   * @returns `remade` when it was known and had to be made again: it is given what it settled once more
   */
  async declareGroup(place: { topic: string; partition: number }, group: string): Promise<GroupOrigin> {
    await this.declarePartition(place.topic, place.partition);
    const keys = partitionKeys(this.#prefix, place.topic, place.partition);
    const { retryLog } = groupKeys(this.#prefix, place, group);
    return (await this.#redis.run(declareGroup, [keys.log, keys.groups, retryLog], [group])) as GroupOrigin;
  }

  /** Makes again what Redis has lost, and tells. */
  async recover(place: { topic: string; partition: number }, group: string): Promise<void> {
    const origin = await this.declareGroup(place, group);
    if (origin !== 'present') emit('recreated', { ...place, group, why: 'Redis no longer had the stream or its group' });
  }
}

export function partitionsOf(topic: TopicDefinition): number[] {
  return Array.from({ length: topic.partitions }, (_, partition) => partition);
}

function mismatch(topic: TopicDefinition, stored: number): MillraceError {
  return new MillraceError(
    'TOPIC_MISMATCH',
    `Topic '${topic.name}' has ${stored} partitions in Redis, but @Topic says ${topic.partitions}. The number is fixed once a topic exists, ` +
      `since the partition of a key follows from it: set partitions: ${stored}, or use another topic name.`,
  );
}
