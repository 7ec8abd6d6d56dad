import { setTimeout } from 'node:timers/promises';
import type { TopicDefinition } from '@millrace/core';
import type { Topology } from '@millrace/redis';
import type { PartitionCounts } from '../log/partition-counts.js';
import type { TopicLog } from '../log/topic-log.js';
import { DelayedPromoter } from '../publish/delayed-promoter.js';
import { LogTrim } from './log-trim.js';
import { RetainedPartition } from './retained-partition.js';
import { isRetained } from './retained-topic.js';
import { Trimmer } from './trimmer.js';

export interface TopicTenderParts {
  readonly redis: Topology;
  readonly prefix: string;
  readonly log: TopicLog;
  readonly counts: PartitionCounts;
}

/** Time for the rounds under way to end: a Redis that does not answer must not keep the process. */
const GOODBYE_MS = 500;

/** The background work of this process for its topics, trimming and promoting delayed messages: once for each topic. */
export class TopicTender {
  readonly #parts: TopicTenderParts;
  readonly #promoters = new Map<string, DelayedPromoter>();
  readonly #trimmers = new Map<string, Trimmer>();
  /** By topic and group, whether its member of this process hears rings now. */
  readonly #hears = new Map<string, Map<string, () => boolean>>();
  #stopped = false;

  constructor(parts: TopicTenderParts) {
    this.#parts = parts;
  }

  /**
   * This process handles messages of the topic.
   *
   * @param hears whether {@link delayed} is called now when another process delays a message
   */
  subscribed(topic: TopicDefinition, group: string, hears: () => boolean): void {
    const ofTopic = this.#hears.get(topic.name) ?? new Map<string, () => boolean>();
    this.#hears.set(topic.name, ofTopic.set(group, hears));
    this.#promote(topic);
    this.#trim(topic);
  }

  /** This process publishes to the topic. */
  published(topic: TopicDefinition, partition: number): RetainedPartition | null {
    this.#trim(topic);
    return this.#retained(topic, partition);
  }

  /** This process has settled messages of the partition: there may be something to remove. */
  settled(topic: string, partition: number): void {
    this.#trimmers.get(topic)?.settled(partition);
  }

  /** A message of the topic was delayed: this process promotes it later, as there may be no other that does. */
  delayed(topic: TopicDefinition, dueInMs: number): void {
    this.#promote(topic).scheduled(dueInMs);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    const loops = [...this.#promoters.values(), ...this.#trimmers.values()];
    await Promise.race([Promise.all(loops.map((loop) => loop.stop())), setTimeout(GOODBYE_MS, undefined, { ref: false })]);
  }

  #promote(topic: TopicDefinition): DelayedPromoter {
    const known = this.#promoters.get(topic.name);
    if (known) return known;
    const { redis, prefix, log, counts } = this.#parts;
    const retained = (partition: number): RetainedPartition | null => this.#retained(topic, partition);
    const isHeard = (): boolean => [...(this.#hears.get(topic.name)?.values() ?? [])].some((hears) => hears());
    const promoter = new DelayedPromoter({ redis, prefix, topic, counts, declare: () => log.restore(topic), retained, isHeard });
    this.#promoters.set(topic.name, promoter);
    if (!this.#stopped) promoter.start();
    return promoter;
  }

  #trim(topic: TopicDefinition): void {
    if (!isRetained(topic) || this.#trimmers.has(topic.name) || this.#stopped) return;
    const { redis, prefix, counts } = this.#parts;
    const trimmer = new Trimmer(topic, counts, new LogTrim(redis, prefix, topic));
    this.#trimmers.set(topic.name, trimmer);
    trimmer.start();
  }

  #retained(topic: TopicDefinition, partition: number): RetainedPartition | null {
    if (!isRetained(topic)) return null;
    return new RetainedPartition(topic.retention, new LogTrim(this.#parts.redis, this.#parts.prefix, topic), partition);
  }
}
