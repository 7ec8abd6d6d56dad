import type { Durability, IdempotencyScope, TopicDefinition } from '@millrace/core';
import { type DurableRoutes, nameOf } from '../durable/durable-routes.js';
import { type PartitionKeys, partitionKeys } from '../keys.js';
import type { PartitionCounts } from '../log/partition-counts.js';
import type { TopicLog } from '../log/topic-log.js';
import { EarlierUses } from './earlier-uses.js';
import { KeyClaims } from './key-claims.js';
import { claimingPartitionOf } from './partitioner.js';
import type { Claimer } from './queued-message.js';

export interface TopicClaimersParts {
  readonly prefix: string;
  readonly log: TopicLog;
  readonly counts: PartitionCounts;
  /** Routes of messages. */
  readonly routes: DurableRoutes;
  /** Routes of claims, over the same connections. */
  readonly claimRoutes: DurableRoutes;
}

/** A message with an idempotency key, and where it goes. */
export interface Keyed {
  readonly idempotencyKey: string;
  readonly partition: number;
  /** The number of partitions from which its own follows. */
  readonly partitions: number;
  readonly durability: Durability;
  /** Where the key is unique. Default: that of the topic. */
  readonly scope?: IdempotencyScope | undefined;
}

/** A key is remembered for so many windows at the most. */
const WINDOWS = 2;

/** Claims the idempotency keys of one topic where all of their uses are known. */
export class TopicClaimers {
  readonly #parts: TopicClaimersParts;
  readonly #topic: TopicDefinition;
  readonly #claims = new Map<string, KeyClaims>();

  constructor(parts: TopicClaimersParts, topic: TopicDefinition) {
    this.#parts = parts;
    this.#topic = topic;
  }

  /** Null where there is nothing to claim. For a while after a raise it also looks where the key belonged before. */
  of({ idempotencyKey, partition, partitions, durability, scope = this.#topic.idempotencyScope }: Keyed): Claimer | null {
    const { counts, routes, log } = this.#parts;
    const { name, idempotencyWindowMs } = this.#topic;
    const claiming = claimingPartitionOf({ idempotencyKey, partition, topic: { partitions, idempotencyScope: scope } });
    const claimer = claiming === null ? null : this.#claimsIn(claiming, durability);
    const earlier = (): number[] => counts.earlierWithin(name, WINDOWS * idempotencyWindowMs);
    if (counts.isKnown(name) && earlier().length === 0) return claimer;
    return new EarlierUses({
      topic: name,
      idempotencyWindowMs,
      earlier: async () => {
        if (!counts.isKnown(name)) await log.learn(this.#topic);
        return earlier();
      },
      isUniqueInTopic: scope === 'topic',
      keysOf: (place) => this.#keysOf(place),
      routeOf: (place) => routes.to(this.#keysOf(place).log, durability),
      claimer,
    });
  }

  /** All claims end within `deadlineMs` from now. */
  limit(deadlineMs: number): void {
    for (const claims of this.#claims.values()) claims.limit(deadlineMs);
  }

  /** The home partition may be on another server than the message: no confirmation of the message covers the claim. */
  #claimsIn(partition: number, durability: Durability): KeyClaims {
    const name = `${partition}:${nameOf(durability)}`;
    let claims = this.#claims.get(name);
    if (!claims) {
      const keys = this.#keysOf(partition).ids;
      const route = this.#parts.claimRoutes.to(keys[0], durability);
      claims = new KeyClaims({ route, topic: this.#topic.name, keys, idempotencyWindowMs: this.#topic.idempotencyWindowMs });
      this.#claims.set(name, claims);
    }
    return claims;
  }

  #keysOf(partition: number): PartitionKeys {
    return partitionKeys(this.#parts.prefix, this.#topic.name, partition);
  }
}
