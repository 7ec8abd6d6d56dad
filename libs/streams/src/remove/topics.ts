import { durationMs, MillraceError, parseOptions, type Retention, type TopicDefinition, type TopicRef, topicOfRef } from '@millrace/core';
import { type PartitionKeys, partitionKeys, topicsKey } from '../keys.js';
import { partitionsOf } from '../log/topic-log.js';
import { LogTrim } from '../retain/log-trim.js';
import { PurgeOptions } from './purge-options.js';
import { type StoredCount, storedCount } from '../log/stored-count.js';
import { RaiseOptions } from '../raise/raise-options.js';
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

/** The effect of a purge. */
export interface Purged {
  /** Messages that were removed. */
  readonly messages: number;
  /** Groups that have not settled the first message that stayed: without `unsettled` alone. */
  readonly heldBy: readonly string[];
}

interface PartitionPurged {
  readonly messages: number;
  /** The group that keeps its first message; null when none does. */
  readonly heldBy: string | null;
}

interface StoredPlace {
  readonly name: string;
  readonly partition: number;
}

interface Purge {
  readonly before: Date | undefined;
  readonly overflow: Retention['overflow'];
}

/** How a raise of the number of partitions ended. */
export interface PartitionsRaised {
  /** How many partitions the topic had when it was called. */
  readonly from: number;
  /** How many it has since. */
  readonly to: number;
  /** False when it had that many already. */
  readonly changed: boolean;
  /** The groups that the new partitions were made for. */
  readonly groups: readonly string[];
}

/** For operators: raises the number of partitions of topics, and removes topics. */
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

  /**
   * Removes the messages of a topic, and leaves the topic and its groups. A message that is not due yet, waits for another
   * attempt, or is a dead letter stays.
   *
   * @throws MillraceError NOT_A_TOPIC, INVALID_OPTIONS, UNKNOWN_TOPIC; REDIS_FAILED, REDIS_UNREACHABLE after a part was removed
   */
  async purge(topic: TopicRef, options: PurgeOptions = {}): Promise<Purged> {
    const { before, unsettled }: PurgeOptions = parseOptions(PurgeOptions, options, 'purge()');
    const { name } = topicOfRef(topic);
    const { count: partitions } = await this.#count(name);
    const definition = { ...topicOfRef(topic), partitions };
    const overflow = unsettled ? 'drop-oldest' : 'reject';
    let removed = 0;
    const heldBy = new Set<string>();
    for (const partition of partitionsOf(definition)) {
      const purged = await this.#purge({ name, partition }, { before, overflow });
      removed += purged.messages;
      if (purged.heldBy !== null) heldBy.add(purged.heldBy);
    }
    return { messages: removed, heldBy: [...heldBy] };
  }

  /** A trim, whose limit is the age that messages from before that moment have. */
  async #purge({ name, partition }: StoredPlace, { before, overflow }: Purge): Promise<PartitionPurged> {
    const { redis, prefix } = this.#parts;
    const { log } = partitionKeys(prefix, name, partition);
    const [seconds, micros] = (await redis.controlFor(log).call('TIME')) as [string, string];
    const nowMs = Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000);
    // A limit of 0 would be none. Entries of a clock that was set back since are as young as that.
    const maxAgeMs = before === undefined ? 1 : Math.max(1, nowMs - before.getTime());
    const retention = { settled: false, maxAgeMs, maxMessages: null, maxBytes: null, overflow, dropGroupAfterMs: 0 } as const;
    const trim = new LogTrim(redis, prefix, { name, retention, dropReason: 'an operator purged the topic' });
    const trimmed = await trim.trim({ partition, wanted: 0, everyMs: 0 });
    if (typeof trimmed === 'string') return { messages: 0, heldBy: null };
    return { messages: trimmed.removed, heldBy: trimmed.blockingGroup };
  }

  /**
   * Raises the number of partitions of a topic while it is in use. Each key keeps its order: nothing of an ordered group begins
   * behind the raise before all from before it is settled. Call it before processes start whose `@Topic` has the new number;
   * those that run, and those that start with the old one, go on with the new one by themselves. A number that is stored already
   * is a success that changes nothing. After an interruption, call it again; whoever publishes or subscribes finishes it, too.
   *
   * @returns what was changed, or with `preview: true` would be
   * @throws MillraceError TOPIC_MISMATCH when the topic has neither of the two numbers; INVALID_OPTIONS, also for a lower number,
   *   which would leave messages in partitions that nobody reads; NOT_A_TOPIC, UNKNOWN_TOPIC, REMOVED
   */
  async raisePartitions(topic: TopicRef, options: RaiseOptions): Promise<PartitionsRaised> {
    const { from, to, preview } = parseOptions(RaiseOptions, options, 'raisePartitions()');
    const definition = topicOfRef(topic);
    if (to <= from) throw lowered(definition.name, from, to);
    const { log, inspector } = this.#parts;
    const before = await this.#count(definition.name);
    const groups = (await inspector.groups(topic)).map(({ name }) => name);
    if (before.count === to) return { from: to, to, changed: false, groups };
    if (before.count !== from || (before.target ?? to) !== to) throw otherCount(definition.name, before, { from, to });
    if (preview) return { from, to, changed: true, groups };
    const after = await log.raise(definition, { from, to });
    if (after?.count !== to) throw after === null ? unknown(definition.name) : otherCount(definition.name, after, { from, to });
    return { from, to, changed: true, groups };
  }

  async #count(topic: string): Promise<StoredCount> {
    const topics = topicsKey(this.#parts.prefix);
    const stored = storedCount(await this.#parts.redis.controlFor(topics).call('HGET', topics, topic));
    if (stored === null) throw unknown(topic);
    return stored;
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

function lowered(topic: string, from: number, to: number): MillraceError {
  return new MillraceError(
    'INVALID_OPTIONS',
    `raisePartitions(): topic '${topic}' cannot go from ${from} to ${to} partitions. The number only grows: fewer would leave messages in ` +
      'partitions that nobody reads.',
  );
}

function otherCount(topic: string, { count, target }: StoredCount, { from, to }: { from: number; to: number }): MillraceError {
  const has = target === null ? `has ${count} partitions` : `is being raised from ${count} to ${target} partitions`;
  return new MillraceError('TOPIC_MISMATCH', `Topic '${topic}' ${has}: it was not raised from ${from} to ${to}.`);
}

function unknown(topic: string): MillraceError {
  return new MillraceError('UNKNOWN_TOPIC', `There is no topic '${topic}' here: nobody has declared it, or it was removed.`);
}
