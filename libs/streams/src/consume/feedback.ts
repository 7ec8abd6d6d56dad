import type { Replay } from '../group/replays.js';
import type { GroupPartition } from './group-partition.js';
import type { HandedOver } from '../ring/ring-text.js';
import type { PendingDelivery } from './pending-delivery.js';

/**
 * The member of a group, as its parts see it. Messages flow one way, from the read to the settlement; this is the way back, by
 * which a part lets others know what it has found out.
 */
export interface Feedback {
  /** The seek by which the group is given a message again; null when no seek asked for it. */
  replayOf(delivery: PendingDelivery): Replay | null;
  /** A message has been scheduled for another attempt. */
  retryScheduled(delivery: PendingDelivery): void;
  /** A message has become a dead letter. */
  deadLettered(): void;
  /** A message goes back to the group because there was no slot, or no permit, for it. */
  overFetched(delivery: PendingDelivery): void;
  /** The group may be given settled messages of this partition again: it was made again, or others have handled some of them. */
  givenAgain(partition: GroupPartition): void;
  /** Another member may own by now what this member holds. */
  becameStale(): void;
  /** Others may have taken this process for dead, put back its messages, and moved the group without it. */
  returned(): void;
  /** Whether Redis lost a stream of the partition or its group since this member read there, also when others made it again. */
  isLost(partition: GroupPartition): Promise<boolean>;
  /** Makes again what Redis has lost of a partition. */
  recover(partition: GroupPartition): Promise<void>;
  /** Verifies the holdings, and sees to it that an operator who pauses the group waits for this member. */
  verify(): Promise<void>;
  /** Does the same as {@link verify} for partitions whose server was away, and puts back the messages of lost replies. */
  rejoin(places: readonly GroupPartition[]): Promise<void>;
  /** The handler fails on nearly every message: nothing begins here for a while. Resolves when no fetch is under way. */
  failing(): Promise<void>;
  /** Up to so many messages at once are tried, to see whether the handler works again. */
  trying(messages: number): void;
  /** The handler works again. */
  mended(): void;
  /** An operator has paused the group. Resolves when this member holds nothing any more. */
  groupPaused(): Promise<void>;
  groupResumed(): void;
  /** An operator wants something of the group, or of this partition. */
  controlled(partition: GroupPartition): void;
  /**
   * Entries of the log were handed over to a fetch of the group that was left open.
   *
   * @returns whether this member takes them in; else they are to be read, if this member owns the partition
   */
  handedOver(partition: GroupPartition, given: HandedOver): boolean;
  /** A message was stored that is due later. */
  delayed(): void;
  /** A message of the partition waits for another attempt, which is due in so many milliseconds. */
  due(partition: GroupPartition, inMs: number): void;
  /** Rings may have been missed, or will be from now on: parts that rely on rings look for themselves. */
  ringsMissed(): void;
  /** The topic has more partitions than this member looks after. */
  raised(): void;
  /** A member has come, or one is gone. */
  membersChanged(): void;
  /** Whether nothing comes to the group, as far as this member sees, and rings will announce anything that does. */
  readonly isIdle: boolean;
}
