import type { Outcome } from '@millrace/core';
import type { HandlerQueue } from './handler-queue.js';
import type { PendingDelivery } from './pending-delivery.js';
import type { Settlement } from './settlement.js';

/** How a message is settled; null when it stays here, or is settled already. It never rejects. */
export type Later = Promise<Settlement | null>;

/** A message that failed for good waits for an operator: its key does, or its partition. */
export type Waits = 'parked' | 'stopped';

/** Keeps messages that are not done where they are, so that no other message of their key passes them. */
export interface InPlace {
  readonly queue: HandlerQueue;
  /** Decides about a message that is about to begin. @returns how it is settled in place of that; undefined when it may begin */
  aside(delivery: PendingDelivery): Later | undefined;
  /** Says whether somebody waits for an operator when a message ends so; null when nobody does. */
  waits(delivery: PendingDelivery, outcome: Outcome): Waits | null;
  /** Decides about a message that has ended. @returns how it is settled later on; undefined when that is to be done at once */
  keep(delivery: PendingDelivery, outcome: Outcome): Later | undefined;
  /** Messages that this member holds, and does not handle any more: whoever owns the partition reads them again. */
  release(deliveries: readonly PendingDelivery[]): void;
}
