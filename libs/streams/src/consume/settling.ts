import type { OpenSpan } from '@millrace/core';
import type { PendingDelivery } from './pending-delivery.js';
import type { Settlement } from './settlement.js';

/** The owner of messages that are being settled. */
export interface Settling {
  /** Called when these are settled, or can no longer be settled by this member. */
  settled(items: readonly Item[]): void;
}

/** A message and how it ends. */
export interface Item {
  readonly delivery: PendingDelivery;
  readonly settlement: Settlement;
  readonly owner: Settling;
  /** The span of its settlement; null or absent for none. */
  readonly span?: OpenSpan | null;
}
