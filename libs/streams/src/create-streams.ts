import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { DeliveryHandler, PublishPort, SubscribePort, Subscription, SubscriptionDefinition, TopicDefinition } from '@millrace/core';
import { MillraceError } from '@millrace/core';
import type { RedisConnections } from '@millrace/redis';
import { StreamSubscription } from './consume/subscription.js';
import { Inspector } from './inspect/inspector.js';
import { TopicLog } from './log/topic-log.js';
import { StreamPublisher } from './publish/stream-publisher.js';

export interface StreamsOptions {
  /** Stays the caller's: {@link Streams.stop} does not close it. */
  readonly redis: RedisConnections;
  /** The first part of every key. */
  readonly prefix: string;
  /** How long a silent process keeps the messages that it holds. Whole milliseconds, at least 300. */
  readonly leaseMs: number;
  /** How long a publish is tried before it is rejected. Default 10 000 ms. */
  readonly publishDeadlineMs?: number;
  /** Messages packed into one stream entry at the most. Default 1: the members of a group share entries, not messages. */
  readonly messagesPerEntry?: number;
}

/** Publish/subscribe on Redis Streams. */
export interface Streams extends PublishPort, SubscribePort {
  /**
   * Makes the topic exist.
   * @throws MillraceError TOPIC_MISMATCH
   */
  declare(topic: TopicDefinition): Promise<void>;
  readonly inspector: Inspector;
  /** Stops every subscription, then refuses publishes and waits for those under way: handlers may publish until they end. */
  stop(deadlineMs: number): Promise<void>;
}

const DEFAULT_PUBLISH_DEADLINE_MS = 10_000;
/** What publishes under way get at the least when handlers have used up the time to stop. */
const FLUSH_MS = 500;

/** Puts publish/subscribe together on connections that the caller owns. */
export function createStreams(options: StreamsOptions): Streams {
  const { redis, prefix, leaseMs } = options;
  const member = `${hostname().replace(/[^A-Za-z0-9._-]/g, '-')}-${process.pid}-${randomBytes(6).toString('hex')}`;
  const log = new TopicLog(redis.control, prefix);
  const deadlineMs = options.publishDeadlineMs ?? DEFAULT_PUBLISH_DEADLINE_MS;
  const messagesPerEntry = options.messagesPerEntry ?? 1;
  const publisher = new StreamPublisher({ redis: redis.publish, prefix, log, deadlineMs, messagesPerEntry });
  const subscriptions = new Subscriptions((definition, handler) =>
    StreamSubscription.start({ redis, prefix, member, leaseMs, log }, definition, handler),
  );
  return {
    inspector: new Inspector(redis.control, prefix),
    declare: (topic) => log.declare(topic),
    publish: (topic, message) => publisher.publish(topic, message),
    subscribe: (definition, handler) => subscriptions.add(definition, handler),
    stop: async (stopDeadlineMs) => {
      const stopBy = performance.now() + stopDeadlineMs;
      await subscriptions.stop(stopDeadlineMs);
      await publisher.close(Math.max(stopBy - performance.now(), FLUSH_MS));
    },
  };
}

type Start = (definition: SubscriptionDefinition, handler: DeliveryHandler) => Promise<Subscription>;

/** What this process is subscribed to: each group of a topic once. */
class Subscriptions {
  readonly #start: Start;
  readonly #started = new Map<string, Promise<Subscription>>();
  #stopped = false;

  constructor(start: Start) {
    this.#start = start;
  }

  add(definition: SubscriptionDefinition, handler: DeliveryHandler): Promise<Subscription> {
    const name = `${definition.topic.name}/${definition.group}`;
    if (this.#stopped) return Promise.reject(closed(definition));
    if (this.#started.has(name)) return Promise.reject(duplicate(definition));
    const started = this.#start(definition, handler);
    this.#started.set(name, started);
    // What could not be started may be tried again.
    started.catch(() => this.#started.delete(name));
    return started;
  }

  async stop(deadlineMs: number): Promise<void> {
    this.#stopped = true;
    const started = await Promise.allSettled(this.#started.values());
    await Promise.all(started.map(async (result) => (result.status === 'fulfilled' ? result.value.stop(deadlineMs) : undefined)));
  }
}

function closed({ topic, group }: SubscriptionDefinition): MillraceError {
  return new MillraceError('CLOSED', `Group '${group}' was not subscribed to topic '${topic.name}': this process is shutting down.`);
}

function duplicate({ topic, group }: SubscriptionDefinition): MillraceError {
  return new MillraceError(
    'DUPLICATE_SUBSCRIPTION',
    `Group '${group}' is subscribed to topic '${topic.name}' twice in this process. Each would get a part of the messages; give one of them another group.`,
  );
}
