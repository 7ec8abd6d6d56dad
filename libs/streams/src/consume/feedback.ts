import type { GroupPartition } from './group-partition.js';
import type { PendingDelivery } from './pending-delivery.js';

/**
 * The member of a group, as its parts see it: whatever one of them finds out that others have to know goes through here. Data
 * flows one way, from the read to the settlement; this is the way back.
 */
export interface Feedback {
  /** The number of the seek by which the group is given a message again; null when no seek asked for it. */
  replayOf(delivery: PendingDelivery): number | null;
  /** A message has been scheduled for another attempt. */
  retryScheduled(delivery: PendingDelivery): void;
  /** A message has become a dead letter. */
  deadLettered(): void;
  /** A message goes back to the group because there was no slot, or no permit, for it. */
  overFetched(delivery: PendingDelivery): void;
  /** The group may be given again what it has settled in this partition: it was made again, or others have handled something. */
  givenAgain(partition: GroupPartition): void;
  /** Something that is held may be another member's by now. */
  becameStale(): void;
  /** Others may have taken this process for dead, put back what it held, and moved the group without it. */
  returned(): void;
  /** Whether Redis lost a stream of the partition or its group since this member read there, also when others made it again. */
  isLost(partition: GroupPartition): Promise<boolean>;
  /** Makes again what Redis has lost of a partition. */
  recover(partition: GroupPartition): Promise<void>;
  /** Makes sure of what is held, and that whoever pauses the group waits for this member. */
  verify(): Promise<void>;
  /** After a while without Redis: as {@link verify}, and what came in replies that were lost is put back. */
  rejoin(): Promise<void>;
  /** An operator has paused the group: resolves when this member holds nothing any more. */
  groupPaused(): Promise<void>;
  groupResumed(): void;
  /** An operator wants something of the group. */
  controlled(): void;
  /** No ring is heard from now on: who relies on rings looks for itself. */
  ringsMissed(): void;
  /** A member has come, or one is gone. */
  membersChanged(): void;
  /** Whether nothing comes to the group, as far as this member sees, and whatever does will be rung. */
  readonly isIdle: boolean;
}
