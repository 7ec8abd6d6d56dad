import {
  BROADCAST_GROUP, type BroadcastDefinition, type HalfPort, MillraceError, type PresencePort, type PublishPort,
  showLoad, type SubscribePort, type Subscription, type SubscriptionDefinition, type SubscriptionLoad, type TopicDefinition,
} from '@millrace/core';
import type { Topology } from '@millrace/redis';
import { Broadcast } from './broadcast/broadcast.js';
import type { Handling } from './consume/handling.js';
import { LoneSlot } from './consume/lone-slot.js';
import { StreamSubscription } from './consume/subscription.js';
import { Groups } from './group/groups.js';
import { Presence } from './group/presence.js';
import { ForwardSender } from './forward/forward-sender.js';
import { HalfMessages } from './half/half-messages.js';
import type { Halves } from './half/halves.js';
import { Inspector } from './inspect/inspector.js';
import { LogReader } from './inspect/log-reader.js';
import { PartitionCounts } from './log/partition-counts.js';
import { TopicLog } from './log/topic-log.js';
import { Orders } from './ordered/orders.js';
import { DeadLetters } from './redeliver/dead-letters.js';
import { packingOf } from './publish/packing.js';
import { PublishBudget } from './publish/publish-budget.js';
import { StreamPublisher } from './publish/stream-publisher.js';
import { ReaderPool } from './read/reader-pool.js';
import { Topics } from './remove/topics.js';
import { Rings } from './ring/rings.js';
import { TopicTender } from './retain/topic-tender.js';

export interface StreamsOptions {
  /** Belongs to the caller: {@link Streams.stop} does not close it. */
  readonly redis: Topology;
  /** The first part of every key. */
  readonly prefix: string;
  /** How long a silent process keeps the messages that it holds. Whole milliseconds, at least 300. */
  readonly leaseMs: number;
  /**
   * A subscription reports a problem when all its handlers run for so long and none ends, or when a single handler does whose
   * message blocks others. Default 300 000 ms.
   */
  readonly stuckAfterMs?: number;
  /** How long a publish is tried before it is rejected, unless it says so itself. Default 10 000 ms. */
  readonly publishDeadlineMs?: number;
  /** Memory for messages that wait to be published or confirmed, in bytes, over all topics. Default 64 MiB. */
  readonly publishBufferBytes?: number;
  /**
   * Messages packed into one stream entry at the most, always: 1 to 16. Default: one, and up to 16 while more is published to a
   * partition than one batch after the other can carry. The members of a group share entries.
   */
  readonly messagesPerEntry?: number;
}

/** Publish/subscribe on Redis Streams. */
export interface Streams extends Required<PublishPort>, SubscribePort, HalfPort {
  /**
   * Makes the topic exist, also when it was removed.
   * @throws MillraceError TOPIC_MISMATCH, UNSUPPORTED_VERSION
   */
  declare(topic: TopicDefinition): Promise<void>;
  readonly inspector: Inspector;
  readonly reader: LogReader;
  readonly deadLetters: DeadLetters;
  readonly groups: Groups;
  readonly orders: Orders;
  readonly topics: Topics;
  readonly halves: Halves;
  /** The sign of life of this process: for other parts of it whose work must be taken over when it dies. */
  readonly presence: PresencePort;
  /** Stops every subscription, then refuses publishes and waits for those under way: handlers may publish until they end. */
  stop(deadlineMs: number): Promise<void>;
}

const DEFAULT_PUBLISH_DEADLINE_MS = 10_000;
const DEFAULT_STUCK_AFTER_MS = 300_000;
const DEFAULT_PUBLISH_BUFFER_BYTES = 64 * 1024 * 1024;
/** Minimum time for publishes under way when handlers have used up the time to stop. */
const FLUSH_MS = 500;

/**
 * Puts publish/subscribe together on connections that the caller owns.
 *
 * @throws MillraceError INVALID_OPTIONS
 */
export function createStreams(options: StreamsOptions): Streams {
  const { redis, prefix, leaseMs, stuckAfterMs = DEFAULT_STUCK_AFTER_MS } = options;
  const counts = new PartitionCounts();
  const log = new TopicLog(redis, prefix, counts);
  const deadlineMs = options.publishDeadlineMs ?? DEFAULT_PUBLISH_DEADLINE_MS;
  const packing = packingOf(options.messagesPerEntry);
  const tender = new TopicTender({ redis, prefix, log, counts });
  const budget = new PublishBudget(options.publishBufferBytes ?? DEFAULT_PUBLISH_BUFFER_BYTES);
  const publisher = new StreamPublisher({ redis, prefix, log, counts, deadlineMs, budget, tender, packing });
  const sender = new ForwardSender({ redis, prefix, log, counts, tender, packing, publisher });
  const halves = new HalfMessages({ redis, prefix, log, counts, deadlineMs, budget, tender });
  const presence = new Presence({ redis, prefix, leaseMs });
  const loneSlot = new LoneSlot();
  const rings = new Rings(redis);
  const readers = new ReaderPool(redis);
  const subscriptions = new Subscriptions();
  const subscribe = async (definition: SubscriptionDefinition, handling: Handling): Promise<Subscription> => {
    assertOrdering(definition);
    const onDelayed = (): void => tender.delayed(definition.topic, 0);
    const onSettled = (partition: number): void => tender.settled(definition.topic.name, partition);
    const parts = { redis, prefix, presence, rings, readers, loneSlot, stuckAfterMs, log, counts, sender, onDelayed, onSettled };
    const start: Start<StreamSubscription> = (onStopped, closing) =>
      StreamSubscription.start({ ...parts, onStopped, closing }, definition, handling);
    const subscription = await subscriptions.add(definition, start);
    tender.subscribed(definition.topic, definition.group, () => subscription.isIdle);
    return subscription;
  };
  const inspector = new Inspector(redis, prefix, counts);
  const operating = { redis, prefix, presence, inspector, log, counts };
  return {
    inspector,
    reader: new LogReader(redis, prefix, counts),
    deadLetters: new DeadLetters({
      redis, log, prefix, counts,
      retained: (topic, partition) => tender.published(topic, partition),
    }),
    groups: new Groups(operating),
    orders: new Orders(redis, prefix, counts),
    topics: new Topics(operating),
    halves: halves.operators,
    presence,
    declare: async (topic) => {
      await log.declare(topic);
    },
    publish: (topic, message, sendOptions) => publisher.publish(topic, message, sendOptions),
    publishMany: (topic, many) => publisher.publishMany(topic, many),
    storeHalf: (topic, half) => halves.store(topic, half),
    checkHalves: (definition, handler) => halves.check(definition, handler),
    subscribe: (definition, handler) => subscribe(definition, { rule: null, handler }),
    subscribeBatch: (definition, rule, handler) => subscribe(definition, { rule, handler }),
    broadcast: async (definition, handler) => {
      const parts = { redis, prefix, log, rings };
      const start: Start<Broadcast> = (onStopped) => Broadcast.start({ ...parts, onStopped }, definition, handler);
      const subscription = await subscriptions.follow(definition, start);
      tender.subscribed(definition.topic, BROADCAST_GROUP, () => false);
      return subscription;
    },
    stop: (withinMs) => finish({ subscriptions, halves, publisher, upkeep: [tender, presence, rings], readers }, withinMs),
  };
}

interface Finishing {
  readonly subscriptions: Subscriptions;
  readonly halves: HalfMessages;
  readonly publisher: StreamPublisher;
  readonly upkeep: readonly { stop(): Promise<void> }[];
  readonly readers: ReaderPool;
}

/** Handlers end first: they may publish until then. */
async function finish({ subscriptions, halves, publisher, upkeep, readers }: Finishing, deadlineMs: number): Promise<void> {
  const stopBy = performance.now() + deadlineMs;
  await Promise.all([subscriptions.stop(deadlineMs), halves.stopChecks(deadlineMs)]);
  const flushMs = Math.max(stopBy - performance.now(), FLUSH_MS);
  await Promise.all([publisher.close(flushMs), halves.close(flushMs)]);
  await Promise.all(upkeep.map((part) => part.stop()));
  readers.close();
}

function assertOrdering({ group, ordering }: SubscriptionDefinition): void {
  if (ordering?.by !== 'partition' || ordering.onExhausted !== 'park') return;
  throw new MillraceError(
    'INVALID_OPTIONS',
    `Group '${group}' cannot put keys aside, since it is ordered by partition: order it by key, or let onExhausted be 'dead-letter' or 'stop'.`,
  );
}

type Place = Pick<SubscriptionDefinition, 'topic' | 'group'>;

/** @param closing aborts when the process stops: a start that waits for others ends then */
type Start<Started> = (onStopped: () => void, closing: AbortSignal) => Promise<Started>;

/** A subscription that observers can look at. */
type Shown = Subscription & { load(): SubscriptionLoad };

/** The subscriptions of this process: each group of a topic once at a time, broadcasts as often as it likes. */
class Subscriptions {
  readonly #started = new Set<Promise<Subscription>>();
  readonly #groups = new Set<string>();
  readonly #closing = new AbortController();

  add<Started extends Shown>(definition: SubscriptionDefinition, start: Start<Started>): Promise<Started> {
    const name = `${definition.topic.name}/${definition.group}`;
    if (!this.#closing.signal.aborted && this.#groups.has(name)) return Promise.reject(duplicate(definition));
    this.#groups.add(name);
    return this.#begin(definition, start, () => this.#groups.delete(name));
  }

  follow({ topic }: BroadcastDefinition, start: Start<Shown>): Promise<Subscription> {
    return this.#begin({ topic, group: BROADCAST_GROUP }, start, () => undefined);
  }

  /** @param free called when the subscription has ended or could not be started: then it may be started again */
  #begin<Started extends Shown>(place: Place, start: Start<Started>, free: () => void): Promise<Started> {
    if (this.#closing.signal.aborted) return Promise.reject(closed(place));
    let hide = (): void => undefined;
    const end = (): void => {
      this.#started.delete(started);
      hide();
      free();
    };
    const started = start(end, this.#closing.signal);
    this.#started.add(started);
    started.then((subscription) => (hide = showLoad(() => subscription.load())), end);
    return started;
  }

  async stop(deadlineMs: number): Promise<void> {
    this.#closing.abort();
    const started = await Promise.allSettled(this.#started);
    await Promise.all(started.map(async (result) => (result.status === 'fulfilled' ? result.value.stop(deadlineMs) : undefined)));
  }
}

function closed({ topic, group }: Place): MillraceError {
  return new MillraceError('CLOSED', `Group '${group}' was not subscribed to topic '${topic.name}': this process is shutting down.`);
}

function duplicate({ topic, group }: SubscriptionDefinition): MillraceError {
  return new MillraceError(
    'DUPLICATE_SUBSCRIPTION',
    `Group '${group}' is subscribed to topic '${topic.name}' twice in this process. Each would get a part of the messages; give one of them another group.`,
  );
}
