import { Lease } from '@millrace/core';
import type { GroupStream } from './group-partition.js';

/** When something was asked of Redis, and of which connections. */
export interface Moment {
  /** By the monotonic clock, in milliseconds. */
  readonly atMs: number;
  /** How often the connections that bring entries had been lost by then. */
  readonly losses: number;
}

export interface HoldingToken {
  readonly id: string;
  readonly deliveryCount: number;
  /** A moment before the lease began. */
  readonly heldSince: Moment;
}

/**
 * An entry that this member holds. (member, delivery count) is the token of the holding: whoever takes the entry over
 * raises the count, and what is settled with the old one is refused.
 */
export class HeldEntry extends Lease {
  readonly stream: GroupStream;
  readonly id: string;
  readonly deliveryCount: number;
  /** Offset of the entry's first message, and how many it carries. */
  readonly base: number;
  readonly size: number;
  /** How often connections had been lost when it was asked for. */
  readonly losses: number;
  /** A moment before the lease was last renewed, by the monotonic clock, in milliseconds. */
  renewedAt: number;
  /** Finds out whether it is held still; null before it is held at all. */
  confirmedBy: ((entry: HeldEntry) => Promise<void>) | null = null;

  constructor(stream: GroupStream, token: HoldingToken, span: { base: number; size: number }) {
    super();
    this.stream = stream;
    this.id = token.id;
    this.deliveryCount = token.deliveryCount;
    this.losses = token.heldSince.losses;
    this.renewedAt = token.heldSince.atMs;
    this.base = span.base;
    this.size = span.size;
  }

  override async confirm(): Promise<void> {
    await this.confirmedBy?.(this);
  }
}
