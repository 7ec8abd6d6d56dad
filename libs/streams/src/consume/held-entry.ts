import type { GroupStream } from './group-partition.js';

/**
 * An entry that this member holds. (member, delivery count) is the token of the holding: whoever takes the entry over
 * raises the count, and what is settled with the old one is refused.
 */
export class HeldEntry {
  readonly stream: GroupStream;
  readonly id: string;
  readonly deliveryCount: number;
  /** Offset of the entry's first message, and how many it carries. */
  readonly base: number;
  readonly size: number;
  readonly #abort = new AbortController();

  constructor(stream: GroupStream, token: { id: string; deliveryCount: number }, span: { base: number; size: number }) {
    this.stream = stream;
    this.id = token.id;
    this.deliveryCount = token.deliveryCount;
    this.base = span.base;
    this.size = span.size;
  }

  /** Aborts when the holding is lost, or given up at shutdown. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  giveUp(reason: string): void {
    this.#abort.abort(new Error(reason));
  }
}
