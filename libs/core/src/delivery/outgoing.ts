import type { IdempotencyScope } from '../contract/topic-options.js';
import type { Durability } from '../publish/durability.js';
import type { Message } from './message.js';

/**
 * A message on its way out: the payload is JSON text already, validated and measured. With an idempotency key its names are
 * sorted, at any depth, so that equal payloads have equal text.
 */
export interface OutgoingMessage extends Omit<Message, 'payload'> {
  readonly payloadJson: string;
}

/** How a message is to be published; nothing of it is stored with the message. */
export interface SendOptions {
  /** How long it is tried before it is rejected, in milliseconds. Default: that of the port. */
  readonly deadlineMs?: number;
  /** When its groups get it. Default: at once. */
  readonly due?: DueTime;
  /** Default: that of the topic. */
  readonly durability?: Durability;
  /**
   * Where its idempotency key is unique. Default: that of the topic. `'partition'` saves a round trip for a key that no other
   * message has, whose message always has the same key.
   */
  readonly idempotencyScope?: IdempotencyScope;
}

/** A number of milliseconds after the message was stored, by the clock of the store; or a moment, in Unix milliseconds. */
export type DueTime = { readonly inMs: number } | { readonly atMs: number };
