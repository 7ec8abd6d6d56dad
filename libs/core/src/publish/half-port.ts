import type { TopicDefinition } from '../contract/topic.js';
import type { Message } from '../delivery/delivery.js';
import type { Outgoing, PublishResult } from '../delivery/ports.js';

/** A message that is to be stored as half of one, and the rules for it. */
export interface OutgoingHalf extends Outgoing {
  /** How long the message is of use from its commit on, or from when it is due, in milliseconds; null for ever. */
  readonly ttlMs: number | null;
  /** How long it may stay half before the first check, and between the first two, in milliseconds. */
  readonly checkAfterMs: number;
  /** How many checks may be answered with `'unknown'`. */
  readonly checks: number;
}

/** A half message that is stored. */
export interface StoredHalf {
  readonly partition: number;
  commit(): Promise<PublishResult>;
  rollback(): Promise<void>;
}

/** Keeps half messages, and asks how their transactions ended. */
export interface HalfPort {
  /** Resolves when Redis has it. It may be called again with the same message, and stores it once. */
  storeHalf(topic: TopicDefinition, half: OutgoingHalf): Promise<StoredHalf>;

  /** Asks the handler about half messages of the topic that are due. One handler a topic in a process. */
  checkHalves(definition: CheckDefinition, handler: CheckHandler): Promise<TransactionChecks>;
}

export interface CheckDefinition {
  readonly topic: TopicDefinition;
  /** Calls of the handler at once in this process. */
  readonly concurrency: number;
  /** How long one call may take. */
  readonly timeoutMs: number;
}

/** How a transaction ended, as far as the handler knows. */
export type TransactionState = 'commit' | 'rollback' | 'unknown';

/** A half message that nobody has committed or rolled back in time. */
export interface CheckedHalf {
  readonly message: Message;
  readonly partition: number;
  /** When it was stored, by Redis's clock. */
  readonly storedAt: Date;
  /** 1 for the first check; checks that were not answered, as their process died, do not count. */
  readonly check: number;
  /** Aborts when the time for the answer is up, or the process stops. */
  readonly signal: AbortSignal;
}

/** It may throw: that is an answer `'unknown'`. */
export type CheckHandler = (half: CheckedHalf) => Promise<TransactionState>;

/** Running checks of one topic. */
export interface TransactionChecks {
  /** Asks nothing more, and lets handlers at work end until `deadlineMs` has passed. */
  stop(deadlineMs: number): Promise<void>;
}
