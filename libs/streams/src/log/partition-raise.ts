import { MillraceError } from '@millrace/core';
import { loadScript, type Topology } from '@millrace/redis';
import { partitionKeys, topicsKey } from '../keys.js';
import { pairs } from './pairs.js';
import { type StoredCount, storedCount } from './stored-count.js';

const raiseCount = loadScript('../scripts/raise-count.lua', import.meta.url);
const raisePartition = loadScript('../scripts/raise-partition.lua', import.meta.url);

/** A topic by its name, and the numbers of its partitions before and after a raise. */
export interface Raise {
  readonly topic: string;
  readonly from: number;
  readonly to: number;
}

export interface PartitionRaiseParts {
  readonly redis: Topology;
  readonly prefix: string;
  /** Makes a partition, whose publishers are held to so many partitions, where it is not there. */
  readonly declarePartition: (place: { topic: string; partition: number }, partitions: number) => Promise<void>;
  /** Makes a group in a partition, from its beginning on, where it is not there. */
  readonly declareGroup: (place: { topic: string; partition: number }, group: string) => Promise<void>;
}

export interface CountNow {
  /** Null when the topic is not known. */
  readonly stored: StoredCount | null;
  /** Redis's clock, in Unix milliseconds. */
  readonly nowMs: number;
}

type Reply = readonly [text: string, nowMs: string];

/**
 * Raises the number of partitions of topics. The index says first that a raise is under way, and last that it is done: between
 * the two, everybody who meets it goes on with it, each step may be repeated, and publishers to partitions that are held to the
 * higher number wait.
 */
export class PartitionRaise {
  readonly #parts: PartitionRaiseParts;

  constructor(parts: PartitionRaiseParts) {
    this.#parts = parts;
  }

  /** The number that stands, once a raise under way is finished. */
  async settled(topic: string): Promise<CountNow> {
    for (let now = await this.#step(topic, 'look'); ; now = await this.#step(topic, 'look')) {
      const { stored } = now;
      if (stored === null || stored.target === null) return now;
      await this.#finish({ topic, from: stored.count, to: stored.target });
    }
  }

  /** Begins the raise, unless the number is another one or being raised; and finishes whatever is under way. */
  async raise({ topic, from, to }: Raise): Promise<CountNow> {
    await this.#step(topic, 'begin', from, to);
    return this.settled(topic);
  }

  /** Nothing is published to a new partition before the old ones are held to the new number, all of them. */
  async #finish(raise: Raise): Promise<void> {
    const { topic, from, to } = raise;
    const all = Array.from({ length: to }, (_, partition) => partition);
    await Promise.all(all.slice(from).map((partition) => this.#parts.declarePartition({ topic, partition }, from)));
    await Promise.all(all.slice(from).map((partition) => this.#hold(raise, partition)));
    await Promise.all(all.slice(0, from).map((partition) => this.#hold(raise, partition)));
    const groups = await this.#groupsOf(topic);
    for (const group of groups) {
      await Promise.all(all.slice(from).map((partition) => this.#parts.declareGroup({ topic, partition }, group)));
    }
    await this.#step(topic, 'finish', from, to);
    const { ring } = partitionKeys(this.#parts.prefix, topic, 0);
    // Members that do not hear it find out at their next look.
    for (const group of groups) await this.#parts.redis.controlFor(ring).call('SPUBLISH', ring, `control ${group}`).catch(() => undefined);
  }

  /** Where keys only leave an old partition, those that stay there keep their order in its log. */
  async #hold({ topic, from, to }: Raise, partition: number): Promise<void> {
    const { meta } = partitionKeys(this.#parts.prefix, topic, partition);
    const isNew = partition >= from;
    const args = [from, to, isNew ? '1' : '0', isNew || to % from !== 0 ? '1' : '0'];
    for (;;) {
      if ((await this.#parts.redis.controlFor(meta).run(raisePartition, [meta], args)) === 'OK') return;
      await this.#parts.declarePartition({ topic, partition }, from);
    }
  }

  async #groupsOf(topic: string): Promise<string[]> {
    const { groups, removed } = partitionKeys(this.#parts.prefix, topic, 0);
    const redis = this.#parts.redis.controlFor(groups);
    const known = (await redis.call('HKEYS', groups)) as string[];
    const removals = (await redis.call('HGETALL', removed)) as string[];
    return known.filter((group) => Number(new Map(pairs(removals)).get(group) ?? 0) <= 0);
  }

  async #step(topic: string, step: 'look' | 'begin' | 'finish', ...counts: number[]): Promise<CountNow> {
    const key = topicsKey(this.#parts.prefix);
    const [text, nowMs] = (await this.#parts.redis.controlFor(key).run(raiseCount, [key], [topic, step, ...counts])) as Reply;
    const stored = storedCount(text);
    if (stored === null && text !== '') throw damaged(topic, text);
    return { stored, nowMs: Number(nowMs) };
  }
}

function damaged(topic: string, text: string): MillraceError {
  return new MillraceError('TOPIC_MISMATCH', `The number of partitions of topic '${topic}' is damaged in Redis: ${text.slice(0, 100)}`);
}
