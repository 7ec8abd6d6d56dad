import type { PublishResult, TopicDefinition } from '@millrace/core';
import type { Topology } from '@millrace/redis';
import type { DurableRoutes } from '../durable/durable-routes.js';
import type { PartitionCounts } from '../log/partition-counts.js';
import type { TopicLog } from '../log/topic-log.js';
import type { PublishBudget } from '../publish/publish-budget.js';
import { TopicClaimers } from '../publish/topic-claimers.js';
import { indefiniteCommit, unfinished } from './half-errors.js';
import { HalfEnding } from './half-ending.js';
import type { HalfIndex } from './half-index.js';
import { HalfPartition } from './half-partition.js';
import type { HalfPlace, HalfTerms, RolledBackBy } from './half-record.js';
import { tried } from './tries.js';

export interface HalfSettlerParts {
  readonly redis: Topology;
  readonly prefix: string;
  readonly log: TopicLog;
  readonly counts: PartitionCounts;
  readonly budget: PublishBudget;
  readonly index: HalfIndex;
  readonly routes: DurableRoutes;
  readonly claimRoutes: DurableRoutes;
  /** A message of the topic was delayed, by so many milliseconds. */
  readonly delayed: (topic: TopicDefinition, dueInMs: number) => void;
}

/** Commits half messages, and rolls them back. */
export class HalfSettler {
  readonly #parts: HalfSettlerParts;
  readonly #claimers = new Map<string, TopicClaimers>();
  #endsAt = Number.POSITIVE_INFINITY;

  constructor(parts: HalfSettlerParts) {
    this.#parts = parts;
  }

  /** All tries end within `deadlineMs` from now. */
  limit(deadlineMs: number): void {
    this.#endsAt = performance.now() + deadlineMs;
    for (const claimers of this.#claimers.values()) claimers.limit(deadlineMs);
  }

  partitionOf(topic: TopicDefinition, partition: number): HalfPartition {
    return new HalfPartition({ ...this.#parts, topic }, partition);
  }

  /** @throws those of `HalfMessage.commit` */
  async commit(place: HalfPlace, withinMs: number): Promise<PublishResult> {
    const { topic, terms } = place;
    const giveUpAt = performance.now() + withinMs;
    const ending = this.#endingOf(place, giveUpAt);
    const result = await tried(
      {
        giveUpAt: () => Math.min(giveUpAt, this.#endsAt),
        redis: () => ending.redis,
        late: (cause, inDoubt) => (inDoubt ? indefiniteCommit(topic.name, cause!.message, cause) : unfinished(topic.name, 'commit', cause)),
        doubted: (cause) => indefiniteCommit(topic.name, cause.message, cause),
      },
      () => ending.tryCommit(),
    );
    if (result.offset === null) this.#parts.delayed(topic, dueInMs(terms));
    return result;
  }

  /** @throws those of `HalfMessage.rollback` */
  async rollback(place: HalfPlace, by: RolledBackBy, withinMs: number): Promise<void> {
    const { topic } = place;
    const giveUpAt = performance.now() + withinMs;
    const ending = this.#endingOf(place, giveUpAt);
    await tried(
      {
        giveUpAt: () => Math.min(giveUpAt, this.#endsAt),
        redis: () => ending.redis,
        late: (cause) => unfinished(topic.name, 'rollback', cause),
        doubted: (cause) => cause,
      },
      () => ending.tryRollback(by),
    );
  }

  #endingOf(place: HalfPlace, giveUpAt: number): HalfEnding {
    const { topic } = place;
    const claimers = this.#claimers.get(topic.name) ?? new TopicClaimers(this.#parts, topic);
    this.#claimers.set(topic.name, claimers);
    const partitionAt = (partition: number): HalfPartition => this.partitionOf(topic, partition);
    return new HalfEnding({ ...this.#parts, claimers, giveUpAt, partitionAt }, place);
  }
}

function dueInMs({ due = '' }: HalfTerms): number {
  return due.startsWith('+') ? Number(due) : Number(due) - Date.now();
}
