import { durationMs, MillraceError, parseOptions, type TopicDefinition, type TopicRef, topicOfRef } from '@millrace/core';
import { type PartitionKeys, partitionKeys, topicsKey } from '../keys.js';
import { type GroupRemoval, groupRemovalOf, type RemovalParts } from './group-removal.js';
import { RemoveOptions } from './remove-options.js';
import { Remover } from './remover.js';
import { storedPartitions, Tombstones } from './tombstones.js';

/** Counts of what the removal of a topic takes or would take. */
export interface TopicRemoval {
  /** Messages that the topic holds, whether its groups have handled them or not. */
  readonly messages: number;
  /** Messages that are not due yet. */
  readonly delayed: number;
  /** Each group, with its own counts. */
  readonly groups: readonly GroupRemoval[];
}

/** Operators remove topics with it. */
export class Topics {
  readonly #parts: RemovalParts;

  constructor(parts: RemovalParts) {
    this.#parts = parts;
  }

  /**
   * Removes a topic with all messages, groups and dead letters. A process that still runs and publishes to it is refused with
   * REMOVED, until a process that starts declares the topic. After an interruption, call it again: it goes on.
   *
   * @returns what was removed, or with `preview: true` would be
   * @throws MillraceError GROUP_BUSY when members of its groups still lived at the end of the wait: nothing was removed;
   *   NOT_A_TOPIC, INVALID_OPTIONS, UNKNOWN_TOPIC
   */
  async remove(topic: TopicRef, options: RemoveOptions = {}): Promise<TopicRemoval> {
    const { preview, force, within } = parseOptions(RemoveOptions, options, 'remove()');
    const { redis, prefix } = this.#parts;
    const stored = await this.#stored(topicOfRef(topic));
    const removal = await this.#removalOf(stored);
    if (preview) return removal;
    const number = await new Remover(this.#parts).begin({ topic: stored.name }, { force, withinMs: durationMs(within) });
    await new Tombstones(redis, prefix).finishTopic(stored, number);
    return removal;
  }

  /** The topic as Redis knows it; with the declared number of partitions where keys are left, and Redis has no such number. */
  async #stored(topic: TopicDefinition): Promise<TopicDefinition> {
    const { redis, prefix } = this.#parts;
    const [topics, { log, removed }] = [topicsKey(prefix), partitionKeys(prefix, topic.name, 0)];
    const [stored, known] = await Promise.all([
      redis.controlFor(topics).call('HGET', topics, topic.name),
      redis.controlFor(log).call('EXISTS', log, removed),
    ]);
    if (stored === null && known === 0) throw unknown(topic.name);
    return { ...topic, partitions: storedPartitions(stored) ?? topic.partitions };
  }

  async #removalOf(topic: TopicDefinition): Promise<TopicRemoval> {
    const { redis, prefix } = this.#parts;
    const places = Array.from({ length: topic.partitions }, (_, partition) => partitionKeys(prefix, topic.name, partition));
    const contents = await Promise.all(places.map((keys) => this.#contentsOf(keys)));
    const known = places[0]!.groups;
    const names = (await redis.controlFor(known).call('HKEYS', known)) as string[];
    const groups = await Promise.all(names.map((group) => groupRemovalOf(this.#parts, { topic, group })));
    return {
      messages: total(contents.map(({ messages }) => messages)),
      delayed: total(contents.map(({ delayed }) => delayed)),
      groups: groups.filter((group) => group !== null),
    };
  }

  async #contentsOf({ meta, delayed }: PartitionKeys): Promise<Pick<TopicRemoval, 'messages' | 'delayed'>> {
    const redis = this.#parts.redis.controlFor(meta);
    const [next, first] = (await redis.call('HMGET', meta, 'next', 'first')) as (string | null)[];
    return { messages: Number(next ?? 0) - Number(first ?? 0), delayed: Number(await redis.call('ZCARD', delayed)) };
  }
}

function total(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0);
}

function unknown(topic: string): MillraceError {
  return new MillraceError('UNKNOWN_TOPIC', `There is no topic '${topic}' here: nobody has declared it, or it was removed.`);
}
