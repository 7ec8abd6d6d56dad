import type { Delivery, Message } from './delivery.js';
import type { Outcome } from './outcome.js';
import type { TopicDefinition } from '../contract/topic.js';

/** A message on its way out: the payload is JSON text already, validated and measured. */
export interface OutgoingMessage extends Omit<Message, 'payload'> {
  readonly payloadJson: string;
}

export interface PublishResult {
  /** The message's id; of a duplicate, the id of the first. */
  readonly id: string;
  readonly partition: number;
  readonly offset: number;
  /** True when the idempotency key was known, so that nothing new was stored. */
  readonly duplicate: boolean;
}

/** Half of what carries everything: stores messages. */
export interface PublishPort {
  /**
   * Resolves when Redis has the message.
   * @throws IdempotencyMismatchError the same key came with another payload
   * @throws IndefinitePublishError Redis did not say whether it stored it
   */
  publish(topic: TopicDefinition, message: OutgoingMessage): Promise<PublishResult>;
}

/** Handles one delivery and says what became of it. It never throws: what it throws is a defect of ours, and dead-lettered. */
export type DeliveryHandler = (delivery: Delivery) => Promise<Outcome>;

export interface SubscriptionDefinition {
  readonly topic: TopicDefinition;
  readonly group: string;
  /** Messages in this process's hands at once. */
  readonly concurrency: number;
  /** A message whose holder vanished this often is dead-lettered as a crash loop. */
  readonly crashLimit: number;
}

/** A running subscription. */
export interface Subscription {
  /** Stops fetching, lets handlers in flight finish until `deadlineMs` has passed, gives the rest back. */
  stop(deadlineMs: number): Promise<void>;
  /** Why this subscription makes no progress, or null when it is well. */
  problem(): string | null;
}

/** The other half: delivers them. */
export interface SubscribePort {
  subscribe(definition: SubscriptionDefinition, handler: DeliveryHandler): Promise<Subscription>;
}
