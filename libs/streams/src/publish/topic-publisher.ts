import type { Durability, OutgoingMessage, SendOptions, TopicDefinition } from '@millrace/core';
import { RedisFailure, type Topology } from '@millrace/redis';
import { type PartitionKeys, partitionKeys } from '../keys.js';
import type { PartitionCounts } from '../log/partition-counts.js';
import type { TopicLog } from '../log/topic-log.js';
import type { TopicTender } from '../retain/topic-tender.js';
import type { Packing } from './packing.js';
import { PartitionBatcher } from './partition-batcher.js';
import { partitionOf, placeOf } from './partitioner.js';
import type { PublishBudget } from './publish-budget.js';
import { type DurableRoutes, nameOf } from '../durable/durable-routes.js';
import type { Claimer, QueuedMessage } from './queued-message.js';
import { type Keyed, TopicClaimers } from './topic-claimers.js';

export interface TopicPublisherParts {
  readonly redis: Topology;
  readonly prefix: string;
  readonly log: TopicLog;
  readonly counts: PartitionCounts;
  /** Default deadline of a publish. */
  readonly deadlineMs: number;
  readonly budget: PublishBudget;
  readonly tender: TopicTender;
  readonly packing: Packing;
  readonly routes: DurableRoutes;
  /** Routes of claims, over the same connections. */
  readonly claimRoutes: DurableRoutes;
}

/** The way of a message to its partition. */
export interface Way {
  readonly batcher: PartitionBatcher;
  readonly claimer: Claimer | null;
}

/** The batcher of one partition and durability level. */
interface Placed {
  readonly batcher: PartitionBatcher;
  readonly durability: Durability;
}

/** Publishes to one topic, through one batcher a partition and durability level. */
export class TopicPublisher {
  readonly #parts: TopicPublisherParts;
  readonly #topic: TopicDefinition;
  /** The number of partitions from which the one of a message follows. */
  #partitions: number;
  /** Batchers of the topic's own durability, by partition. */
  readonly #usual: PartitionBatcher[] = [];
  readonly #batchers = new Map<string, Placed>();
  readonly #claimers: TopicClaimers;
  #moving: Promise<void> | null = null;

  constructor(parts: TopicPublisherParts, topic: TopicDefinition) {
    this.#parts = parts;
    this.#topic = topic;
    this.#partitions = parts.counts.of(topic);
    this.#claimers = new TopicClaimers(parts, topic);
  }

  /** @throws MillraceError CLOSED */
  wayOf(message: OutgoingMessage, sendOptions: SendOptions | undefined): Way {
    const durability = sendOptions?.durability ?? this.#topic.durability;
    const scope = sendOptions?.idempotencyScope;
    const partition = partitionOf(message, this.#partitions);
    const { idempotencyKey } = message;
    const claimer = idempotencyKey === null ? null : this.#claimerOf({ idempotencyKey, partition, durability, scope });
    return { batcher: this.#batcher(partition, durability), claimer };
  }

  /** The topic has another number of partitions than before: what waits goes to the partitions that it belongs to by now. */
  follow(): void {
    this.#moving ??= this.#move().finally(() => void (this.#moving = null));
  }

  /** Resolves when all publishes so far are settled, within `deadlineMs`. */
  async close(deadlineMs: number): Promise<void> {
    this.#claimers.limit(deadlineMs);
    const drain = (): Promise<unknown> => Promise.all(this.#all.map(({ batcher }) => batcher.drain(deadlineMs)));
    await drain();
    if (!this.#moving) return;
    await this.#moving;
    await drain();
  }

  /**
   * Messages of one key wait in one batcher. All batchers stop first, so that no message gets to its new partition while one
   * of its key is still on its way to the old one.
   */
  async #move(): Promise<void> {
    while (this.#partitions !== this.#parts.counts.of(this.#topic)) {
      await Promise.all(this.#all.map(({ batcher }) => batcher.halt()));
      this.#partitions = this.#parts.counts.of(this.#topic);
      const waiting = this.#all.map(({ batcher, durability }) => ({ items: batcher.takeWaiting(), durability }));
      for (const { items, durability } of waiting) for (const item of items) this.#takeOver(item, durability);
      for (const { batcher } of this.#all) batcher.resume();
    }
  }

  get #all(): Placed[] {
    return [...this.#batchers.values()];
  }

  #takeOver(item: QueuedMessage, durability: Durability): void {
    const partition = placeOf(item.routingKey, this.#partitions);
    try {
      const claimer = item.use && this.#claimerOf({ idempotencyKey: item.use.key, partition, durability });
      this.#batcher(partition, durability).takeOver(item, claimer);
    } catch (thrown) {
      item.reject(thrown as Error);
    }
  }

  #batcher(partition: number, durability: Durability): PartitionBatcher {
    if (durability !== this.#topic.durability) return this.#batcherAt(partition, durability);
    return (this.#usual[partition] ??= this.#batcherAt(partition, durability));
  }

  #batcherAt(partition: number, durability: Durability): PartitionBatcher {
    const name = `${partition}:${nameOf(durability)}`;
    let placed = this.#batchers.get(name);
    if (!placed) {
      placed = { batcher: this.#newBatcher(partition, durability), durability };
      this.#batchers.set(name, placed);
      if (this.#moving) void placed.batcher.halt();
    }
    return placed.batcher;
  }

  #claimerOf(place: Omit<Keyed, 'partitions'>): Claimer | null {
    return this.#claimers.of({ ...place, partitions: this.#partitions });
  }

  #keysOf(partition: number): PartitionKeys {
    return partitionKeys(this.#parts.prefix, this.#topic.name, partition);
  }

  #newBatcher(partition: number, durability: Durability): PartitionBatcher {
    const { log, deadlineMs, budget, packing, tender, routes } = this.#parts;
    const keys = this.#keysOf(partition);
    const { redis, confirmation } = routes.to(keys.log, durability);
    return new PartitionBatcher({
      topic: this.#topic.name,
      partition,
      redis,
      confirmation,
      deadlineMs,
      budget,
      packing,
      keys,
      partitions: () => this.#partitions,
      idempotencyWindowMs: this.#topic.idempotencyWindowMs,
      declare: () => log.restore(this.#topic),
      learn: () => this.#learn(partition),
      retained: tender.published(this.#topic, partition),
    });
  }

  /** @throws RedisFailure when the number was known: the partition is held to it again, and takes the messages of the next try */
  async #learn(partition: number): Promise<void> {
    const { partitions } = await this.#parts.log.learn(this.#topic, partition);
    this.follow();
    if (partitions === this.#partitions) throw new RedisFailure('unavailable', 'the partition had another number of partitions than its topic.', undefined);
  }
}
