import { isName, MillraceError, type PublishResult, type TopicDefinition, type TopicRef, topicOfRef } from '@millrace/core';
import { loadScript, type RedisConnection, type Topology } from '@millrace/redis';
import { halfIndexKey, partitionKeys } from '../keys.js';
import { messageOfEnvelope } from '../log/envelope.js';
import { pagesOf } from '../log/pages.js';
import type { PartitionCounts } from '../log/partition-counts.js';
import { partitionsOf } from '../log/topic-log.js';
import { allTurns, turnOf } from '../log/turns.js';
import { placeIn } from './half-checker.js';
import { transactionEnded } from './half-errors.js';
import type { HalfIndex } from './half-index.js';
import type { HalfRecord } from './half-record.js';
import type { HalfSettler } from './half-settler.js';

const countHalves = loadScript('../scripts/count-halves.lua', import.meta.url);

const MOST_PARTITIONS = 64;
const MOST_LISTED = 1_000;
const SETTLE_MS = 10_000;

/** The half messages of a topic. */
export interface HalvesState {
  /** All that are stored. */
  readonly stored: number;
  /** Those of them about which nobody is asked any more, as too many checks were answered with `'unknown'`. */
  readonly givenUp: number;
  /** Age of the oldest by Redis's clock, in seconds; 0 when there is none. */
  readonly oldestSeconds: number;
  /**
   * When a process with a handler of checks last asked what is due, by Redis's clock; null when none ever did. A living one does
   * every few seconds.
   */
  readonly checkedAt: Date | null;
}

/** A half message, by its partition. */
export interface HalfId {
  readonly id: string;
  readonly partition: number;
}

/** A half message about which nobody is asked any more. */
export interface GivenUpHalf extends HalfId {
  readonly key: string | null;
  readonly headers: Readonly<Record<string, string>>;
  /** Parsed JSON, not validated. */
  readonly payload: unknown;
  readonly storedAt: Date;
  /** Checks that were answered with `'unknown'`. */
  readonly checks: number;
}

export interface HalvesParts {
  readonly redis: Topology;
  readonly prefix: string;
  readonly counts: PartitionCounts;
  readonly index: HalfIndex;
  readonly settler: HalfSettler;
}

/** For operators: looks at half messages, and decides about those whose checks found nothing out. */
export class Halves {
  readonly #parts: HalvesParts;

  constructor(parts: HalvesParts) {
    this.#parts = parts;
  }

  /** @throws MillraceError NOT_A_TOPIC */
  async state(topic: TopicRef): Promise<HalvesState> {
    const definition = this.#topicOf(topic);
    const { redis, prefix } = this.#parts;
    const index = halfIndexKey(prefix, definition.name);
    const keysOf = (partition: number): string[] => {
      const { halves, halvesDue, halvesAge } = partitionKeys(prefix, definition.name, partition);
      return [halves, halvesDue, halvesAge];
    };
    const connectionOf = (partition: number): RedisConnection => redis.controlFor(keysOf(partition)[0]!);
    const pages = pagesOf(partitionsOf(definition), MOST_PARTITIONS, connectionOf);
    const [seen, counted] = await Promise.all([
      redis.controlFor(index).call('HGET', index, 'seen'),
      allTurns(pages.map((page) => page.redis.run(countHalves, page.partitions.flatMap(keysOf), []))),
    ]);
    const counts = (counted as [number, number, number][][]).flat().map((count) => turnOf(count, 'count-halves'));
    return {
      stored: counts.reduce((sum, [stored]) => sum + stored, 0),
      givenUp: counts.reduce((sum, [, givenUp]) => sum + givenUp, 0),
      oldestSeconds: Math.max(0, ...counts.map(([, , ageMs]) => ageMs / 1_000)),
      checkedAt: seen === null ? null : new Date(Number(seen)),
    };
  }

  /**
   * Half messages about which nobody is asked any more, up to `limit` a partition.
   *
   * @throws MillraceError NOT_A_TOPIC; INVALID_OPTIONS when the limit is no whole number from 1 to 1,000
   */
  async givenUp(topic: TopicRef, limit = 100): Promise<GivenUpHalf[]> {
    if (!Number.isSafeInteger(limit) || limit < 1 || limit > MOST_LISTED) {
      throw new MillraceError('INVALID_OPTIONS', `givenUp(): limit must be a whole number from 1 to ${MOST_LISTED}.`);
    }
    const definition = this.#topicOf(topic);
    const lists = partitionsOf(definition).map((partition) => this.#givenUpIn(definition, partition, limit));
    return (await Promise.all(lists)).flat();
  }

  /**
   * Publishes it, as its publisher would.
   *
   * @throws TransactionEndedError, IdempotencyMismatchError, IndefinitePublishError, MillraceError as `HalfMessage.commit`;
   * NOT_A_TOPIC,
   *   INVALID_OPTIONS
   */
  async commit(topic: TopicRef, half: HalfId): Promise<PublishResult> {
    const definition = this.#topicOf(topic);
    const place = placeIn({ topic: definition, ...half }, await this.#read(definition, half, 'commit'));
    return this.#parts.settler.commit(place, SETTLE_MS);
  }

  /**
   * Drops it.
   *
   * @throws TransactionEndedError, MillraceError as `HalfMessage.rollback`; NOT_A_TOPIC, INVALID_OPTIONS
   */
  async rollback(topic: TopicRef, half: HalfId): Promise<void> {
    const definition = this.#topicOf(topic);
    const place = placeIn({ topic: definition, ...half }, await this.#read(definition, half, 'rollback'));
    await this.#parts.settler.rollback(place, 'operator', SETTLE_MS);
  }

  /**
   * Has its check asked about it anew, at once, as often as at first.
   *
   * @throws TransactionEndedError, MillraceError NOT_A_TOPIC, INVALID_OPTIONS
   */
  async checkAgain(topic: TopicRef, half: HalfId): Promise<void> {
    const definition = this.#topicOf(topic);
    await this.#read(definition, half, 'commit');
    const { id, partition } = half;
    await this.#parts.settler.partitionOf(definition, partition).putOff(id, { take: null, checks: 0, inMs: 0 });
    await this.#parts.index.promise(definition, { partition, dueInMs: 0, durability: 'server' });
  }

  #topicOf(topic: TopicRef): TopicDefinition {
    return this.#parts.counts.topicOf(topicOfRef(topic));
  }

  async #givenUpIn(topic: TopicDefinition, partition: number, limit: number): Promise<GivenUpHalf[]> {
    const at = this.#parts.settler.partitionOf(topic, partition);
    const ids = await at.givenUp(limit);
    const records = await Promise.all(ids.map((id) => at.read(id)));
    return records.flatMap((record, index) => (record ? [givenUpOf({ id: ids[index]!, partition }, record)] : []));
  }

  async #read(topic: TopicDefinition, half: HalfId, work: 'commit' | 'rollback'): Promise<HalfRecord> {
    const { id, partition } = half;
    if (!isName(id) || !Number.isSafeInteger(partition) || partition < 0 || partition >= topic.partitions) {
      throw new MillraceError('INVALID_OPTIONS', `A half message of topic '${topic.name}' is named by its id, and its partition from 0 to ${topic.partitions - 1}.`);
    }
    const record = await this.#parts.settler.partitionOf(topic, partition).read(id);
    if (record) return record;
    throw transactionEnded(topic.name, work, { kind: 'unknown' });
  }
}

function givenUpOf(half: HalfId, { envelope, storedAtMs, checks }: HalfRecord): GivenUpHalf {
  const { key, headers, payload } = messageOfEnvelope(envelope);
  return { ...half, key, headers, payload, storedAt: new Date(storedAtMs), checks };
}
