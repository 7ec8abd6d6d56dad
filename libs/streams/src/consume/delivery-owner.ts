import type { PendingDelivery } from './pending-delivery.js';

/** The subscription: it knows of seeks, and who else is to hear what becomes of messages. */
export interface DeliveryOwner {
  /** The number of the seek by which the group is given the message again; null when it did not ask for it. */
  replayOf(delivery: PendingDelivery): number | null;
  /** A message has been scheduled for another attempt. */
  retryScheduled(delivery: PendingDelivery): void;
  /** A message has become a dead letter. */
  deadLettered(): void;
  /** A message goes back to the group because there was no slot, or no permit, for it. */
  overFetched(delivery: PendingDelivery): void;
}
