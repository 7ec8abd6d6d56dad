import { setTimeout } from 'node:timers/promises';
import type { TopicDefinition } from '@millrace/core';
import type { RedisConnection } from '@millrace/redis';
import type { TopicLog } from '../log/topic-log.js';
import { DelayedPromoter } from '../publish/delayed-promoter.js';
import { LogTrim } from './log-trim.js';
import { RetainedPartition } from './retained-partition.js';
import { isRetained } from './retained-topic.js';
import { Trimmer } from './trimmer.js';

export interface TopicUpkeepParts {
  readonly redis: RedisConnection;
  readonly prefix: string;
  readonly log: TopicLog;
}

/** What a round that is under way gets to end: a Redis that does not answer must not keep the process. */
const GOODBYE_MS = 500;

/** What this process does in the background for the topics that it uses: once a topic, however many use it. */
export class TopicUpkeep {
  readonly #parts: TopicUpkeepParts;
  readonly #promoters = new Map<string, DelayedPromoter>();
  readonly #trimmers = new Map<string, Trimmer>();
  #stopped = false;

  constructor(parts: TopicUpkeepParts) {
    this.#parts = parts;
  }

  /** This process handles messages of the topic. */
  subscribed(topic: TopicDefinition): void {
    this.#promote(topic);
    this.#trim(topic);
  }

  /** This process publishes to the topic. */
  published(topic: TopicDefinition, partition: number): RetainedPartition | null {
    this.#trim(topic);
    return this.#retained(topic, partition);
  }

  /** This process has delayed a message of the topic: somebody must see to it, even when nobody subscribes. */
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
    const { redis, prefix, log } = this.#parts;
    const retained = (partition: number): RetainedPartition | null => this.#retained(topic, partition);
    const promoter = new DelayedPromoter({ redis, prefix, topic, declare: () => log.restore(topic), retained });
    this.#promoters.set(topic.name, promoter);
    if (!this.#stopped) promoter.start();
    return promoter;
  }

  #trim(topic: TopicDefinition): void {
    if (!isRetained(topic) || this.#trimmers.has(topic.name) || this.#stopped) return;
    const trimmer = new Trimmer(topic, new LogTrim(this.#parts.redis, this.#parts.prefix, topic));
    this.#trimmers.set(topic.name, trimmer);
    trimmer.start();
  }

  #retained(topic: TopicDefinition, partition: number): RetainedPartition | null {
    if (!isRetained(topic)) return null;
    return new RetainedPartition(topic.retention, new LogTrim(this.#parts.redis, this.#parts.prefix, topic), partition);
  }
}
