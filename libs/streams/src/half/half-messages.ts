import { type CheckDefinition, type CheckHandler, MillraceError, type OutgoingHalf, type StoredHalf, type TopicDefinition, type TransactionChecks } from '@millrace/core';
import type { Topology } from '@millrace/redis';
import { DurableRoutes } from '../durable/durable-routes.js';
import type { PartitionCounts } from '../log/partition-counts.js';
import type { TopicLog } from '../log/topic-log.js';
import type { PublishBudget } from '../publish/publish-budget.js';
import type { TopicTender } from '../retain/topic-tender.js';
import { HalfChecker } from './half-checker.js';
import { HalfIndex } from './half-index.js';
import { HalfPublisher } from './half-publisher.js';
import { HalfSettler } from './half-settler.js';
import { Halves } from './halves.js';

export interface HalfMessagesParts {
  readonly redis: Topology;
  readonly prefix: string;
  readonly log: TopicLog;
  readonly counts: PartitionCounts;
  /** Default deadline of a publish. */
  readonly deadlineMs: number;
  readonly budget: PublishBudget;
  readonly tender: TopicTender;
}

/** Half messages in this process: their publisher, the checks of its handlers, and the port of operators. */
export class HalfMessages {
  readonly operators: Halves;
  readonly #parts: HalfMessagesParts;
  readonly #index: HalfIndex;
  readonly #settler: HalfSettler;
  readonly #publisher: HalfPublisher;
  readonly #checkers = new Map<string, HalfChecker>();
  #isClosed = false;

  constructor(parts: HalfMessagesParts) {
    const { redis, tender } = parts;
    this.#parts = parts;
    const routes = new DurableRoutes(redis, { purpose: 'publish', stored: 'half message' });
    const claimRoutes = new DurableRoutes(redis, { purpose: 'publish', stored: 'idempotency key' });
    this.#index = new HalfIndex({ ...parts, routes });
    const delayed = (topic: TopicDefinition, inMs: number): void => tender.delayed(topic, inMs);
    this.#settler = new HalfSettler({ ...parts, routes, claimRoutes, index: this.#index, delayed });
    this.#publisher = new HalfPublisher({
      ...parts,
      index: this.#index,
      settler: this.#settler,
      retained: (topic, partition) => tender.published(topic, partition),
      stored: ({ name }, dueInMs) => this.#checkers.get(name)?.scheduled(dueInMs),
    });
    this.operators = new Halves({ ...parts, index: this.#index, settler: this.#settler });
  }

  store(topic: TopicDefinition, half: OutgoingHalf): Promise<StoredHalf> {
    return this.#publisher.store(topic, half);
  }

  /** @throws MillraceError CLOSED, DUPLICATE_SUBSCRIPTION */
  check(definition: CheckDefinition, handler: CheckHandler): Promise<TransactionChecks> {
    const { topic } = definition;
    if (this.#isClosed) return Promise.reject(closed(topic.name));
    if (this.#checkers.has(topic.name)) return Promise.reject(twice(topic.name));
    const parts = { counts: this.#parts.counts, index: this.#index, settler: this.#settler };
    const checker = new HalfChecker({ ...parts, onStopped: () => this.#checkers.delete(topic.name) }, definition, handler);
    this.#checkers.set(topic.name, checker);
    checker.start();
    return Promise.resolve(checker);
  }

  async stopChecks(deadlineMs: number): Promise<void> {
    this.#isClosed = true;
    await Promise.all([...this.#checkers.values()].map((checker) => checker.stop(deadlineMs)));
  }

  /** Refuses new half messages, and resolves when those under way are settled, within `deadlineMs`. */
  close(deadlineMs: number): Promise<void> {
    return this.#publisher.close(deadlineMs);
  }
}

function closed(topic: string): MillraceError {
  return new MillraceError('CLOSED', `Half messages of topic '${topic}' are not checked: this process is shutting down.`);
}

function twice(topic: string): MillraceError {
  return new MillraceError('DUPLICATE_SUBSCRIPTION', `Half messages of topic '${topic}' have two handlers of checks in this process: one has to decide.`);
}
