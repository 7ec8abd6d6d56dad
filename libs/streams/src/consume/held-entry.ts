import { Lease, type PartitionOwner } from '@millrace/core';
import type { GroupStream } from './group-partition.js';

/** The moment when a command was sent to Redis. */
export interface Moment {
  /** The epoch that the connections had by then over which entries come. */
  readonly connectionEpoch: number;
  /** How often this process had come back by then, after others might have taken it for dead. */
  readonly returns: number;
  /** In ordered mode the member, as the owner of the partition. */
  readonly owner?: PartitionOwner;
}

/** By which read an entry came. */
export interface Token extends Pick<Moment, 'connectionEpoch' | 'owner'> {
  readonly id: string;
}

/**
 * An entry that this member holds. Member and entry id together are the token of the holding: an entry that is put back gets a
 * new id, and a settlement with the old id is refused.
 */
export class HeldEntry extends Lease {
  readonly stream: GroupStream;
  readonly id: string;
  /** Offset of the first message, -1 for a foreign entry, and the number of messages. */
  readonly base: number;
  readonly size: number;
  /** The epoch of the connections when the read was sent. */
  readonly connectionEpoch: number;
  /** In ordered mode the member that holds it, as the owner of the partition. */
  readonly owner: PartitionOwner | undefined;
  /** How many of its messages this member has still to settle. */
  unsettled: number;
  /** Finds out whether the entry is still held; null before it is held at all. */
  confirmedBy: ((entry: HeldEntry) => Promise<void>) | null = null;

  constructor(stream: GroupStream, token: Token, span: { base: number; size: number }) {
    super();
    this.stream = stream;
    this.id = token.id;
    this.connectionEpoch = token.connectionEpoch;
    this.owner = token.owner;
    this.base = span.base;
    this.size = span.size;
    this.unsettled = span.size;
  }

  /** In ordered mode the epoch under which the member holds it; null else. */
  get ownerEpoch(): number | null {
    return this.owner?.epoch ?? null;
  }

  override async confirm(): Promise<void> {
    await this.confirmedBy?.(this);
  }
}
