import { Lease } from '@millrace/core';
import type { GroupStream } from './group-partition.js';

/** When something was asked of Redis. */
export interface Moment {
  /** The epoch, by then, of the connections that bring entries. */
  readonly connectionEpoch: number;
  /** How often this process had come back by then, after others might have taken it for dead. */
  readonly returns: number;
}

/**
 * An entry that this member holds. (member, entry id) is the token of the holding: what is put back gets a new id, and what
 * is settled with the old one is refused.
 */
export class HeldEntry extends Lease {
  readonly stream: GroupStream;
  readonly id: string;
  /** Offset of the entry's first message, -1 for what is no message of ours, and how many it carries. */
  readonly base: number;
  readonly size: number;
  /** The epoch of the connections when it was asked for. */
  readonly connectionEpoch: number;
  /** How many of its messages are this member's to settle still. */
  unsettled: number;
  /** Finds out whether it is held still; null before it is held at all. */
  confirmedBy: ((entry: HeldEntry) => Promise<void>) | null = null;

  constructor(stream: GroupStream, token: { id: string; connectionEpoch: number }, span: { base: number; size: number }) {
    super();
    this.stream = stream;
    this.id = token.id;
    this.connectionEpoch = token.connectionEpoch;
    this.base = span.base;
    this.size = span.size;
    this.unsettled = span.size;
  }

  override async confirm(): Promise<void> {
    await this.confirmedBy?.(this);
  }
}
