import type { Lease } from './lease.js';
import type { ErrorRecord, GiveUpReason } from './outcome.js';

/** What was published. */
export interface Message {
  /** A UUID of version 7, made when the message was published; the only identity of a message. */
  readonly id: string;
  /** Decides the partition; null when the message was published without one. */
  readonly key: string | null;
  /** The key that made the publish unique; null when there was none. */
  readonly idempotencyKey: string | null;
  readonly headers: Readonly<Record<string, string>>;
  /** From when on it is of no use any more, in Unix milliseconds; null when it stays of use. */
  readonly expiresAt: number | null;
  /** Which of the topic's types of message it is; null when the topic has none. */
  readonly type: string | null;
  /** The version of the payload's schema, from 1. */
  readonly schema: number;
  /** Absent: it was never put back from the dead letters. */
  readonly redrive?: Redrive;
  /** Parsed JSON, not validated yet. */
  readonly payload: unknown;
}

/** How a message was put back that a group had given up. */
export interface Redrive {
  /** How often, at least 1. */
  readonly times: number;
  /** Put back to the whole topic while the group that gave it up was at a replay: that group, and the replay's number. */
  readonly group?: string;
  readonly replay?: number;
}

/** By the clock of this process. */
export function isExpired({ expiresAt }: Message): boolean {
  return expiresAt !== null && expiresAt <= Date.now();
}

/** One try to have a message handled by one group. */
export interface Delivery {
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
  /** When it is given up the delivery goes back uncounted: its handler decides nothing any more. */
  readonly lease: Lease;
  /** Tells the handler to stop: that of the lease, or one that aborts when the time of the attempt is over, too. */
  readonly signal: AbortSignal;
  /** Aborts when nothing may begin here any more: the process stops, or the group pauses. What has begun goes on. */
  readonly heldUp?: AbortSignal;
}

/**
 * By what the inbox knows a message: its id, and in a replay the number of that beside it, so that the handler runs once for
 * each. Messages have ids that are UUIDs, which hold no such sign.
 */
export function inboxId({ message, replay = 0 }: Delivery): string {
  return replay === 0 ? message.id : `${message.id}#${replay}`;
}

/** Why and how a group gave a message up. */
export interface DeadLetterFacts {
  /** Of the dead letter, `<partition>:<entry id>`: unique among those of a group on a topic. */
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
 * One try to tell of a message that its group has given up: attempt and crashes are those of the telling. Of what is no
 * message, `message` has what was found as its payload, and an empty id.
 */
export interface DeadLetterDelivery extends Delivery {
  readonly deadLetter: DeadLetterFacts;
}
