import type { DeadLetterDelivery, Delivery } from './delivery.js';
import type { ForwardedJobs } from './forward.js';
import type { Outcome } from './outcome.js';
import type { Position } from './position.js';
import type { Prefilter } from './prefilter.js';
import type { Durability } from '../publish/durability.js';
import type { TopicDefinition } from '../contract/topic.js';
import type { OutgoingMessage, SendOptions } from './outgoing.js';

export type { DueTime, OutgoingMessage, SendOptions } from './outgoing.js';

/** One of many messages that are published together. */
export interface Outgoing {
  readonly message: OutgoingMessage;
  readonly sendOptions?: SendOptions;
}

export interface PublishResult {
  /** The message's id; of a duplicate, the id of the first. */
  readonly id: string;
  readonly partition: number;
  /** Number of the message in its partition; null for a delayed one: it gets one when it is due. */
  readonly offset: number | null;
  /** True when the idempotency key was known, so that nothing new was stored. */
  readonly duplicate: boolean;
}

/** Stores messages: the first of the two ports that carry everything. */
export interface PublishPort {
  /**
   * Resolves when Redis has the message.
   * @throws IdempotencyMismatchError the same key came with another payload
   * @throws IndefinitePublishError Redis did not say whether it stored it
   */
  publish(topic: TopicDefinition, message: OutgoingMessage, sendOptions?: SendOptions): Promise<PublishResult>;

  /**
   * Publishes many, in their order within each partition, and resolves to the result of each. It never rejects. Absent: each is
   * published by itself.
   */
  publishMany?(topic: TopicDefinition, many: readonly Outgoing[]): Promise<readonly (PublishResult | Error)[]>;
}

/** Handles a delivery and returns its outcome. It never throws: an error is a defect of ours, and dead-letters the message. */
export type DeliveryHandler = (delivery: Delivery) => Promise<Outcome>;

/** Handles deliveries that are handed over together, and returns the outcome of each, in their order. It never throws either. */
export type BatchHandler = (deliveries: readonly Delivery[]) => Promise<readonly Outcome[]>;

/**
 * Is notified of a message that the group has given up: again after the outcome `retry`, and never again after any other.
 * It never throws.
 */
export type DeadLetterHandler = (delivery: DeadLetterDelivery) => Promise<Outcome>;

/** When messages that wait are handed over: as soon as `size` of them do, or when the first has waited for `waitMs`. */
export interface BatchRule {
  readonly size: number;
  readonly waitMs: number;
}

/**
 * When a subscription is paused in a process because its handler fails there: at more than `threshold` of the last `messages`
 * first attempts. After `openForMs` it tries a few messages; each trial that fails doubles that, up to a minute.
 */
export interface BreakerRule {
  /** Above 0, below 1. */
  readonly threshold: number;
  readonly messages: number;
  readonly openForMs: number;
}

/** How many messages a group is given, over all its processes: `messages` each `perMs`, and as many at once. */
export interface RateLimit {
  readonly messages: number;
  readonly perMs: number;
}

/** A partition of an ordered group that belongs to this process. */
export interface AssignedPartition {
  readonly topic: string;
  readonly partition: number;
  readonly group: string;
  /** Grows with each owner of the partition, also when it comes back to the same process. */
  readonly epoch: number;
}

/** A partition of an ordered group that belongs to this process no more. */
export interface RevokedPartition extends AssignedPartition {
  /** True when it was taken away, or the time to stop is up: nothing in flight there counts, and another may be at work. */
  readonly lost: boolean;
}

/**
 * Hear which partitions of an ordered group belong to this process: each assignment is followed by one `onRevoked`, and no two of
 * these calls for one partition overlap.
 */
export interface PartitionListeners {
  /**
   * Nothing of the partition is handled before it resolves. When it rejects it is called again, with pauses of up to 2 seconds,
   * until the partition is to be given up.
   */
  readonly onAssigned?: (partition: AssignedPartition) => void | Promise<void>;
  /**
   * Unless the partition was lost, all that was begun there is settled, and it goes to another member only when this
   * resolves, or the time to stop is up. It is not called again when it rejects.
   */
  readonly onRevoked?: (partition: RevokedPartition) => void | Promise<void>;
}

/** The listeners are for a definition with `ordering`. */
export interface SubscriptionDefinition extends PartitionListeners {
  readonly topic: TopicDefinition;
  readonly group: string;
  /** Calls of the handler at once in this process. */
  readonly concurrency: number;
  /** Absent: as fast as the handlers are. */
  readonly rateLimit?: RateLimit;
  /** Absent: it goes on, however often the handler fails. */
  readonly breaker?: BreakerRule;
  /** Looks at messages before they take a slot. Absent: the handler decides about all. */
  readonly prefilter?: Prefilter;
  /** Present: dead letters are announced to it, at least once each. */
  readonly deadLetterHandler?: DeadLetterHandler;
  /** How long a message of an unknown type or a newer version is tried before it is dead-lettered. Default 0: not at all. */
  readonly unknownForMs?: number;
  /** How many dead letters are kept, a partition. Absent: all. */
  readonly deadLetters?: DeadLetterBounds;
  /** A message with this many crashes is dead-lettered as a crash loop. */
  readonly crashLimit: number;
  /** How safe an outcome is before it counts; it is written again until it is. Default `'server'`: Redis has it. */
  readonly durability?: Durability;
  /** Where the group begins when it is new. Default `'earliest'`. */
  readonly start?: Position;
  /** Present: each partition belongs to one member at a time. Absent: members share all messages. */
  readonly ordering?: Ordering;
  /** Stores jobs that handlers forward. Absent: this process has no queues. */
  readonly forwardedJobs?: ForwardedJobs | undefined;
  /** Aborts when the start is wanted no more: one that waits, as for members of another order, rejects with CLOSED then. */
  readonly signal?: AbortSignal;
}

/** The order in which a group handles messages. */
export interface Ordering {
  /**
   * - `'key'`: messages of one key one after the other, those of other keys beside them
   * - `'partition'`: all messages of a partition one after the other
   */
  readonly by: 'key' | 'partition';
  /**
   * The fate of a message that failed at its last attempt:
   * - `'dead-letter'`, the default: it becomes a dead letter, and those behind it go on
   * - `'park'`, by key alone: it waits, with all messages of its key, until an operator releases the key
   * - `'stop'`: the partition stops there, until an operator lets it go on
   *
   * A message that the handler or the policy wants to be a dead letter becomes one in any case.
   */
  readonly onExhausted?: 'dead-letter' | 'park' | 'stop';
}

/** How many dead letters a group keeps in a partition: the oldest go first. */
export interface DeadLetterBounds {
  readonly maxAgeMs: number;
  readonly maxMessages: number;
  readonly maxBytes: number;
}

/** Stands in the place of a group for a broadcast, which has none. No group can have this name. */
export const BROADCAST_GROUP = '~broadcast';

/** Every process gets each message that is published while it runs. */
export interface BroadcastDefinition {
  readonly topic: TopicDefinition;
  /** Calls of the handler at once in this process. */
  readonly concurrency: number;
  /** Absent: the handler decides about all messages. */
  readonly prefilter?: Prefilter;
}

/** A running subscription. */
export interface Subscription {
  /** Stops fetching, lets handlers in flight finish until `deadlineMs` has passed, gives the rest back. */
  stop(deadlineMs: number): Promise<void>;
  /** Starts no handler from now on; resolves when the running ones are finished and the rest has gone back to the group. */
  pause(): Promise<void>;
  resume(): void;
  /**
   * The reasons why no message is handed over: the whole group is paused, this process's subscription is, its handler failed too
   * often (see {@link BreakerRule}), or it stops.
   */
  readonly pausedBy: readonly ('group' | 'process' | 'failures' | 'stop')[];
  /** Why this subscription makes no progress, or null when it is well. */
  problem(): string | null;
}

/** Delivers messages: the second of the two ports. */
export interface SubscribePort {
  subscribe(definition: SubscriptionDefinition, handler: DeliveryHandler): Promise<Subscription>;

  /** Hands messages over in batches. */
  subscribeBatch(definition: SubscriptionDefinition, rule: BatchRule, handler: BatchHandler): Promise<Subscription>;

  /**
   * Hands every message that is published from now on to this process, too, and leaves nothing behind. A message whose handler
   * fails is tried again while the process runs. The process never gets the messages that it has not handled when it ends,
   * nor those that are published while it does not run.
   */
  broadcast(definition: BroadcastDefinition, handler: DeliveryHandler): Promise<Subscription>;
}
