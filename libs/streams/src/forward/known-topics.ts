import { MillraceError, type TopicDefinition } from '@millrace/core';
import type { Topology } from '@millrace/redis';
import { topicsKey } from '../keys.js';
import { storedCount } from '../log/stored-count.js';

const DAY_MS = 86_400_000;

/**
 * Topics that handlers of this process have forwarded to. A process that sends on for one that died may not have had such a message:
 * then it knows the topic by its name, and how many partitions it has.
 */
export class KnownTopics {
  readonly #redis: Topology;
  readonly #prefix: string;
  readonly #topics = new Map<string, TopicDefinition>();

  constructor(redis: Topology, prefix: string) {
    this.#redis = redis;
    this.#prefix = prefix;
  }

  add(topic: TopicDefinition): void {
    if (!this.#topics.has(topic.name)) this.#topics.set(topic.name, topic);
  }

  /** @throws MillraceError UNKNOWN_TOPIC: nobody has declared it */
  async find(name: string): Promise<TopicDefinition> {
    const known = this.#topics.get(name);
    if (known) return known;
    const key = topicsKey(this.#prefix);
    const stored = storedCount(await this.#redis.controlFor(key).call('HGET', key, name));
    if (stored) return bareTopic(name, stored.count);
    throw new MillraceError('UNKNOWN_TOPIC', `Messages that handlers forwarded to topic '${name}' wait: it is not declared. Start a process that publishes to it.`);
  }
}

/** It is not kept: the code of this process may tell more of it later. */
function bareTopic(name: string, partitions: number): TopicDefinition {
  return {
    name,
    partitions,
    idempotencyWindowMs: DAY_MS,
    idempotencyScope: 'topic',
    ttlMs: null,
    durability: 'server',
    retention: null,
    key: undefined,
    unknownProperties: undefined,
    payload: null,
    types: new Map(),
  };
}
