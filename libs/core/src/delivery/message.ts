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
