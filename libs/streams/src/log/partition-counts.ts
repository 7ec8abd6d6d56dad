import type { TopicDefinition } from '@millrace/core';
import type { StoredCount } from './stored-count.js';

interface Known {
  readonly count: number;
  /** Numbers that it had before, and when the raises from them ended, by the monotonic clock, in milliseconds. */
  readonly earlier: readonly { readonly count: number; readonly untilMs: number }[];
}

/**
 * How many partitions topics have, as far as this process has learned it from Redis. The number in code is the one that a topic
 * is made with: it may have been raised since.
 */
export class PartitionCounts {
  readonly #known = new Map<string, Known>();
  readonly #listeners: ((topic: string) => void)[] = [];

  of({ name, partitions }: Pick<TopicDefinition, 'name' | 'partitions'>): number {
    return this.#known.get(name)?.count ?? partitions;
  }

  /** Whether Redis was asked for the number of the topic. */
  isKnown(topic: string): boolean {
    return this.#known.has(topic);
  }

  /** The topic with as many partitions as it is known to have, or those that are given when they are more. */
  topicOf<Topic extends TopicDefinition>(topic: Topic): Topic {
    const partitions = Math.max(this.of(topic), topic.partitions);
    return partitions === topic.partitions ? topic : { ...topic, partitions };
  }

  /** Numbers from which a raise ended no longer ago than that, the last one first. */
  earlierWithin(topic: string, ms: number): number[] {
    const known = this.#known.get(topic);
    if (!known || known.earlier.length === 0) return [];
    const since = performance.now() - ms;
    return known.earlier.flatMap(({ count, untilMs }) => (untilMs >= since ? [count] : []));
  }

  /** @param nowMs when Redis had the number, in Unix milliseconds of its clock */
  learn(topic: string, { count, earlier }: StoredCount, nowMs: number): void {
    const before = this.#known.get(topic)?.count;
    const offset = performance.now() - nowMs;
    this.#known.set(topic, { count, earlier: earlier.map((one) => ({ count: one.count, untilMs: one.untilMs + offset })) });
    if (before !== count) for (const listener of this.#listeners) listener(topic);
  }

  /** Calls the listener, with its name, when a topic turns out to have another number of partitions than was known. */
  onChange(listener: (topic: string) => void): void {
    this.#listeners.push(listener);
  }
}
