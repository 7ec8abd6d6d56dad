import type { Lease } from './lease.js';
import type { ErrorRecord, GiveUpReason } from './outcome.js';

/** A message as it was published. */
export interface Message {
  /** A UUID of version 7, made when the message was published; the only identity of a message. */
  readonly id: string;
  /** Decides the partition; null when the message was published without one. */
  readonly key: string | null;
  /** The key that made the publish unique; null when there was none. */
  readonly idempotencyKey: string | null;
  readonly headers: Readonly<Record<string, string>>;
  /** The moment when it expires, in Unix milliseconds; null when it never does. */
  readonly expiresAt: number | null;
  /** The name of its type among those of the topic; null when the topic has no types. */
  readonly type: string | null;
  /** The version of the payload's schema, from 1. */
  readonly schema: number;
  /** Absent when it was never put back from the dead letters. */
  readonly redrive?: Redrive;
  /** Parsed JSON, not validated yet. */
  readonly payload: unknown;
}

/** How often, and where to, a message was put back after a group had given it up. */
export interface Redrive {
  /** How often, at least 1. */
  readonly times: number;
  /** Put back to the whole topic while the group that gave it up was at a replay: that group, and the replay's number. */
  readonly group?: string;
  readonly replay?: number;
  /** Whether that replay has its messages handled again though a ledger knows them as done. */
  readonly forced?: boolean;
}

/** A member that owns a partition, or did, in one of its terms. */
export interface PartitionOwner {
  /** The name of the member, which no other one ever has. */
  readonly member: string;
  /** Grows with each owner of the partition; a failover of Redis can take it back. */
  readonly epoch: number;
}

/** Whether the message has expired, by the clock of this process. */
export function isExpired({ expiresAt }: Message): boolean {
  return expiresAt !== null && expiresAt <= Date.now();
}

/** One try to have a message handled by one group. */
export interface Delivery {
  /** Empty but for its id once its handler has ended well: it would be kept in memory until that is settled. */
  readonly message: Message;
  readonly topic: string;
  readonly partition: number;
  /** Dense number of the message in its partition, from 0. */
  readonly offset: number;
  readonly group: string;
  /** Handler failures so far plus one: 1 for the first try. Crashes do not count. */
  readonly attempt: number;
  /** How often a process vanished with the message: one that held it, from the second time on one that had begun it. */
  readonly crashes: number;
  /** Whether the group was given the message before and was set back: it may have handled it then. */
  readonly replayed: boolean;
  /** The number of the seek by which the group is given the message again; absent or 0 when there was none. */
  readonly replay?: number;
  /** Whether that seek has them handled again though a ledger knows them as done. */
  readonly forced?: boolean;
  /** In ordered mode the owner of the partition, which is to handle the message. Absent in shared mode. */
  readonly owner?: PartitionOwner;
  /** When the lease is given up, the delivery goes back uncounted, and its handler decides nothing any more. */
  readonly lease: Lease;
  /** Tells the handler to stop: the signal of the lease, or one that also aborts when the time of the attempt is over. */
  readonly signal: AbortSignal;
  /** False when nothing can go out with the settlement of this message. */
  readonly mayForward?: boolean;
  /** Aborts when no handler may begin here any more: the process stops, or the group pauses. Handlers that have begun go on. */
  readonly paused?: AbortSignal;
  /** Is called when the message is settled as done, and others cannot have it again. */
  onDone?: (() => void) | undefined;
}

/**
 * The key of a message in the inbox: its id, and in a replay the replay's number behind it, so that the handler runs once for
 * each replay. The ids of messages are UUIDs, which never hold the sign between the two.
 */
export function inboxId({ message, replay = 0 }: Delivery): string {
  return replay === 0 ? message.id : `${message.id}#${replay}`;
}

/** The record of a message that a group gave up. */
export interface DeadLetterFacts {
  /** The id of the dead letter, `<partition>:<entry id>`: unique among those of a group on a topic. */
  readonly id: string;
  /** A word for programs, of a closed list: `ATTEMPTS_EXHAUSTED`, `INVALID_PAYLOAD`, ... */
  readonly reason: GiveUpReason;
  readonly error: ErrorRecord;
  /** Attempts and crashes of the message. */
  readonly attempts: number;
  readonly crashes: number;
  /** Unix milliseconds. */
  readonly firstFailedAt: number;
  readonly deadLetteredAt: number;
}

/**
 * One call of a group's dead-letter handler for a message that the group has given up; attempt and crashes count such calls.
 * For an entry that holds no readable message, `message` has the found data as its payload, and an empty id.
 */
export interface DeadLetterDelivery extends Delivery {
  readonly deadLetter: DeadLetterFacts;
}
