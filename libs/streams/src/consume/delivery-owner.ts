import type { Work } from './work.js';

/** The subscription: it knows of seeks, and who else is to hear what becomes of messages. */
export interface DeliveryOwner {
  /** The number of the seek by which the group is given the message again; null when it did not ask for it. */
  replayOf(work: Work): number | null;
  /** A message has been scheduled for another attempt. */
  retryScheduled(work: Work): void;
  /** A message has become a dead letter. */
  deadLettered(): void;
  /** A message goes back to the group because there was no slot, or no permit, for it. */
  overFetched(work: Work): void;
}
