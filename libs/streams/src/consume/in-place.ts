import type { Outcome } from '@millrace/core';
import type { HandlerQueue } from './handler-queue.js';
import type { PendingDelivery } from './pending-delivery.js';

/** Keeps messages that are not done where they are, so that no other message of their key passes them. */
export interface InPlace {
  readonly queue: HandlerQueue;
  /** Decides about a message that has ended. @returns whether it stays here, and nothing is to be settled */
  keep(delivery: PendingDelivery, outcome: Outcome): boolean;
  /** Messages that this member holds, and does not handle any more: whoever owns the partition reads them again. */
  release(deliveries: readonly PendingDelivery[]): void;
}
