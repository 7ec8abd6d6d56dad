import { emit, MillraceError, newMessageId, type Position, type TopicDefinition } from '@millrace/core';
import { loadScript, type RedisConnection } from '@millrace/redis';
import { groupKeys, partitionKeys, SETTLED_PAGE_OFFSETS, settledKey, topicKey } from '../keys.js';
import { locate } from './locate.js';
import { formatError } from './log-format.js';

const declarePartition = loadScript('../scripts/declare-partition.lua', import.meta.url);
const declareGroup = loadScript('../scripts/declare-group.lua', import.meta.url);

/** Pages of a settled bitmap that are removed at once: they may begin as far behind the start as retention has come. */
const PAGES_A_CALL = 1_000;

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
   * @throws MillraceError TOPIC_MISMATCH when the topic is stored with another number of partitions; UNSUPPORTED_VERSION when
   *   its logs are of another format
   */
  async declare(topic: TopicDefinition): Promise<void> {
    const key = topicKey(this.#prefix, topic.name);
    await this.#redis.call('HSETNX', key, 'partitions', topic.partitions);
    const stored = Number(await this.#redis.call('HGET', key, 'partitions'));
    if (stored !== topic.partitions) throw mismatch(topic, stored);
    await Promise.all(partitionsOf(topic).map((partition) => this.declarePartition(topic.name, partition)));
  }

  /**
   * Makes one partition, where it is not there.
   *
   * @throws MillraceError UNSUPPORTED_VERSION when its log is of another format
   */
  async declarePartition(topic: string, partition: number): Promise<void> {
    const { log, meta, groups } = partitionKeys(this.#prefix, topic, partition);
    const declare = (cleared: '0' | '1'): Promise<unknown> => this.#redis.run(declarePartition, [log, meta, groups], [newMessageId(), cleared]);
    const reply = await declare('0');
    const refused = formatError(log, reply);
    if (refused) throw refused;
    if (reply !== 'ORPHANS') return;
    await this.#clearGroups({ topic, partition });
    await declare('1');
  }

  /**
   * Makes the group in one partition, and the partition itself, where they are not there.
   *
   * @param start where it begins when it is new: with the whole of the entry in which that lies
   * @returns `remade` when it was known and had to be made again: it is given what it settled once more
   */
  async declareGroup(place: Place, group: string, start: Position = 'earliest'): Promise<GroupOrigin> {
    await this.declarePartition(place.topic, place.partition);
    const keys = partitionKeys(this.#prefix, place.topic, place.partition);
    const { again, stats } = groupKeys(this.#prefix, place, group);
    const after = start === 'earliest' ? '' : await this.#placeOf(place, start);
    const all = [keys.log, keys.groups, again, keys.meta, stats];
    return (await this.#redis.run(declareGroup, all, [group, after])) as GroupOrigin;
  }

  /** Makes again what Redis has lost, and tells. */
  async recover(place: Place, group: string): Promise<void> {
    const origin = await this.declareGroup(place, group);
    if (origin !== 'present') emit('recreated', { ...place, group, why: 'Redis no longer had the stream or its group' });
  }

  /** A log that begins anew uses its offsets again: what groups know of them is about other messages. */
  async #clearGroups(place: Place): Promise<void> {
    const { groups } = partitionKeys(this.#prefix, place.topic, place.partition);
    for (const [group, start] of pairs((await this.#redis.call('HGETALL', groups)) as string[])) {
      await this.#clearSettled({ ...place, group }, Math.floor(Number(start) / SETTLED_PAGE_OFFSETS));
      const { stats, open, due, body, control } = groupKeys(this.#prefix, place, group);
      await this.#redis.call('UNLINK', stats, open, due, body);
      // A pause stays: an operator asked for it, and offsets are no part of it.
      await this.#redis.call('HDEL', control, 'replays', 'replayFrom', 'replayUntil', 'void');
      await this.#redis.call('HSET', groups, group, 0);
      emit('recreated', { ...place, group, why: 'Redis no longer had the log nor its count: the offsets begin anew' });
    }
  }

  /** Pages follow each other from the group's start on; those that retention has removed are the first of them. */
  async #clearSettled(place: Place & { group: string }, firstPage: number): Promise<void> {
    let page = 0;
    for (let removed = 1; removed > 0 || page <= firstPage; page += PAGES_A_CALL) {
      const numbers = Array.from({ length: PAGES_A_CALL }, (_, index) => page + index);
      removed = Number(await this.#redis.call('UNLINK', ...numbers.map((number) => settledKey(this.#prefix, place, number * SETTLED_PAGE_OFFSETS))));
    }
  }

  async #placeOf(place: Place, start: Position): Promise<string> {
    const { after } = await locate(this.#redis, partitionKeys(this.#prefix, place.topic, place.partition), start);
    return after;
  }
}

export interface Place {
  readonly topic: string;
  readonly partition: number;
}

export function partitionsOf(topic: TopicDefinition): number[] {
  return Array.from({ length: topic.partitions }, (_, partition) => partition);
}

function pairs(list: readonly string[]): [string, string][] {
  return Array.from({ length: list.length / 2 }, (_, index) => [list[index * 2]!, list[index * 2 + 1]!]);
}

function mismatch(topic: TopicDefinition, stored: number): MillraceError {
  return new MillraceError(
    'TOPIC_MISMATCH',
    `Topic '${topic.name}' has ${stored} partitions in Redis, but @Topic says ${topic.partitions}. The number is fixed once a topic exists, ` +
      `since the partition of a key follows from it: set partitions: ${stored}, or use another topic name.`,
  );
}
