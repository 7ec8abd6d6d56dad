import { randomBytes } from 'node:crypto';
import { MillraceError, type OutgoingMessage, type PublishPort, type PublishResult, type TopicDefinition } from '@millrace/core';
import type { RedisConnection } from '@millrace/redis';
import { partitionKeys, producerKey } from '../keys.js';
import type { TopicLog } from '../log/topic-log.js';
import { PartitionBatcher } from './partition-batcher.js';
import { partitionOf } from './partitioner.js';

export interface StreamPublisherParts {
  readonly redis: RedisConnection;
  readonly prefix: string;
  readonly log: TopicLog;
  /** How long a publish may be tried again before it is rejected. */
  readonly deadlineMs: number;
  /** Messages an entry at the most. */
  readonly messagesPerEntry: number;
}

/** Publishes to any topic, through one batcher a partition. */
export class StreamPublisher implements PublishPort {
  readonly #parts: StreamPublisherParts;
  /** Unique per process start: the sequences of a producer begin at 1. */
  readonly #producerId = randomBytes(9).toString('base64url');
  readonly #batchers = new Map<string, PartitionBatcher>();
  #closed = false;

  constructor(parts: StreamPublisherParts) {
    this.#parts = parts;
  }

  publish(topic: TopicDefinition, message: OutgoingMessage): Promise<PublishResult> {
    if (this.#closed) {
      return Promise.reject(new MillraceError('CLOSED', `Nothing was published to '${topic.name}': this process is shutting down.`));
    }
    return this.#batcher(topic, partitionOf(message, topic.partitions)).publish(message);
  }

  /** Refuses new publishes and resolves when the earlier ones are settled; they are tried for `deadlineMs` at the most. */
  async close(deadlineMs: number): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#batchers.values()].map((batcher) => batcher.drain(deadlineMs)));
  }

  #batcher(topic: TopicDefinition, partition: number): PartitionBatcher {
    const name = `${topic.name}:${partition}`;
    let batcher = this.#batchers.get(name);
    if (!batcher) {
      batcher = this.#newBatcher(topic, partition);
      this.#batchers.set(name, batcher);
    }
    return batcher;
  }

  #newBatcher(topic: TopicDefinition, partition: number): PartitionBatcher {
    const { redis, prefix, log, deadlineMs, messagesPerEntry } = this.#parts;
    const place = { topic: topic.name, partition };
    const keys = partitionKeys(prefix, topic.name, partition);
    return new PartitionBatcher({
      ...place,
      redis,
      deadlineMs,
      messagesPerEntry,
      keys: [keys.log, keys.meta, producerKey(prefix, place, this.#producerId), ...keys.ids],
      idempotencyWindowMs: topic.idempotencyWindowMs,
      declare: () => log.declare(topic),
    });
  }
}
