import {
  asError, type Durability, type DueTime, MillraceError, type Outgoing, type OutgoingMessage, type PublishPort,
  type PublishResult, type SendOptions, type TopicDefinition,
} from '@millrace/core';
import type { Topology } from '@millrace/redis';
import { partitionKeys } from '../keys.js';
import type { TopicLog } from '../log/topic-log.js';
import type { TopicTender } from '../retain/topic-tender.js';
import { KeyClaims } from './key-claims.js';
import { Outcomes, type PlaceAmongMany } from './outcomes.js';
import type { Packing } from './packing.js';
import { PartitionBatcher } from './partition-batcher.js';
import { claimingPartitionOf, partitionOf } from './partitioner.js';
import type { PublishBudget } from './publish-budget.js';
import { nameOf, PublishRoutes } from './publish-routes.js';
import type { Claimer } from './queued-message.js';

export interface StreamPublisherParts {
  readonly redis: Topology;
  readonly prefix: string;
  readonly log: TopicLog;
  /** Default deadline of a publish. */
  readonly deadlineMs: number;
  readonly budget: PublishBudget;
  readonly tender: TopicTender;
  readonly packing: Packing;
}

/** Publishes to any topic, through one batcher a partition and durability level. */
export class StreamPublisher implements PublishPort {
  readonly #parts: StreamPublisherParts;
  readonly #routes: PublishRoutes;
  readonly #batchers = new Map<string, PartitionBatcher>();
  /** Batchers of the topic's own durability, by topic and partition. */
  readonly #usual = new WeakMap<TopicDefinition, PartitionBatcher[]>();
  readonly #claimers = new Map<string, KeyClaims>();
  #closed = false;

  constructor(parts: StreamPublisherParts) {
    this.#parts = parts;
    this.#routes = new PublishRoutes(parts.redis);
  }

  publish(topic: TopicDefinition, message: OutgoingMessage, sendOptions?: SendOptions): Promise<PublishResult> {
    try {
      const { batcher, claimer } = this.#wayOf(topic, message, sendOptions);
      const published = batcher.publish(message, sendOptions, claimer);
      return sendOptions?.due ? this.#delayed(topic, sendOptions.due, published) : published;
    } catch (thrown) {
      return Promise.reject(asError(thrown));
    }
  }

  publishMany(topic: TopicDefinition, many: readonly Outgoing[]): Promise<readonly (PublishResult | Error)[]> {
    const outcomes = new Outcomes(many.length);
    many.forEach((one, index) => this.#publishOneOf(topic, one, { outcomes, index }));
    return outcomes.all;
  }

  /** Refuses new publishes, and resolves when the earlier ones are settled, within `deadlineMs`. */
  async close(deadlineMs: number): Promise<void> {
    this.#closed = true;
    for (const claims of this.#claimers.values()) claims.limit(deadlineMs);
    await Promise.all([...this.#batchers.values()].map((batcher) => batcher.drain(deadlineMs)));
    this.#routes.close();
  }

  #publishOneOf(topic: TopicDefinition, one: Outgoing, place: PlaceAmongMany): void {
    const { message, sendOptions } = one;
    try {
      const { batcher, claimer } = this.#wayOf(topic, message, sendOptions);
      if (sendOptions?.due) {
        settleAt(place, this.#delayed(topic, sendOptions.due, batcher.publish(message, sendOptions, claimer)));
      } else batcher.publishOneOf(one, place, claimer);
    } catch (thrown) {
      place.outcomes.set(place.index, asError(thrown));
    }
  }

  /** @throws MillraceError CLOSED */
  #wayOf(topic: TopicDefinition, message: OutgoingMessage, sendOptions: SendOptions | undefined): Way {
    if (this.#closed) throw new MillraceError('CLOSED', `Nothing was published to '${topic.name}': this process is shutting down.`);
    const partition = partitionOf(message, topic.partitions);
    const durability = sendOptions?.durability ?? topic.durability;
    const claiming = claimingPartitionOf(message, partition, topic);
    const claimer = claiming === null ? null : this.#claims(topic, claiming, durability);
    return { batcher: this.#batcher(topic, partition, durability), claimer };
  }

  async #delayed(topic: TopicDefinition, due: DueTime, published: Promise<PublishResult>): Promise<PublishResult> {
    const result = await published;
    this.#parts.tender.delayed(topic, 'inMs' in due ? due.inMs : due.atMs - Date.now());
    return result;
  }

  #batcher(topic: TopicDefinition, partition: number, durability: Durability): PartitionBatcher {
    if (durability !== topic.durability) return this.#batcherAt(topic, partition, durability);
    let usual = this.#usual.get(topic);
    if (!usual) this.#usual.set(topic, (usual = []));
    return (usual[partition] ??= this.#batcherAt(topic, partition, durability));
  }

  #batcherAt(topic: TopicDefinition, partition: number, durability: Durability): PartitionBatcher {
    const name = `${topic.name}:${partition}:${nameOf(durability)}`;
    let batcher = this.#batchers.get(name);
    if (!batcher) {
      batcher = this.#newBatcher(topic, partition, durability);
      this.#batchers.set(name, batcher);
    }
    return batcher;
  }

  /** On the connection of the messages, so that their confirmation covers the claims, too. */
  #claims(topic: TopicDefinition, partition: number, durability: Durability): KeyClaims {
    const name = `${topic.name}:${partition}:${nameOf(durability)}`;
    let claims = this.#claimers.get(name);
    if (!claims) {
      const keys = partitionKeys(this.#parts.prefix, topic.name, partition).ids;
      const { redis } = this.#routes.to(keys[0], durability);
      claims = new KeyClaims({ redis, topic: topic.name, keys, idempotencyWindowMs: topic.idempotencyWindowMs });
      this.#claimers.set(name, claims);
    }
    return claims;
  }

  #newBatcher(topic: TopicDefinition, partition: number, durability: Durability): PartitionBatcher {
    const { prefix, log, deadlineMs, budget, packing, tender } = this.#parts;
    const place = { topic: topic.name, partition };
    const keys = partitionKeys(prefix, topic.name, partition);
    const { redis, confirmation } = this.#routes.to(keys.log, durability);
    return new PartitionBatcher({
      ...place,
      redis,
      confirmation,
      deadlineMs,
      budget,
      packing,
      keys,
      idempotencyWindowMs: topic.idempotencyWindowMs,
      declare: () => log.restore(topic),
      retained: tender.published(topic, partition),
    });
  }
}

/** The route of a message to its partition. */
interface Way {
  readonly batcher: PartitionBatcher;
  readonly claimer: Claimer | null;
}

function settleAt({ outcomes, index }: PlaceAmongMany, published: Promise<PublishResult>): void {
  published.then(
    (result) => outcomes.set(index, result),
    (thrown: unknown) => outcomes.set(index, asError(thrown)),
  );
}
