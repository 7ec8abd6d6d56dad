/** What was published. */
export interface Message {
  /** A UUID of version 7, made when the message was published; the only identity of a message. */
  readonly id: string;
  /** Decides the partition; null when the message was published without one. */
  readonly key: string | null;
  /** The key that made the publish unique; null when there was none. */
  readonly idempotencyKey: string | null;
  readonly headers: Readonly<Record<string, string>>;
  /** Parsed JSON, not validated yet. */
  readonly payload: unknown;
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
  /** How often a process that held the message vanished before it settled it. */
  readonly crashes: number;
  /** Aborts when the lease of this delivery is lost: what the handler does after that is refused. */
  readonly signal: AbortSignal;
}
