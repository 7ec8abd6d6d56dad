import type { Retention } from '@millrace/core';
import type { Holder, LogTrim, Room } from './log-trim.js';

/** One partition of a topic that does not keep everything. */
export class RetainedPartition {
  readonly retention: Retention;
  readonly #trim: LogTrim;
  readonly #partition: number;

  constructor(retention: Retention, trim: LogTrim, partition: number) {
    this.retention = retention;
    this.#trim = trim;
    this.#partition = partition;
  }

  /** Removes what may go, until there is room for so many messages; there may be less, or none. */
  async makeRoom(wanted: number): Promise<Room> {
    const room = await this.#trim.trim({ partition: this.#partition, wanted, everyMs: 0 });
    // A log that is gone has no bounds; whoever publishes next will find that out.
    return room ?? { messages: wanted, holder: null };
  }

  /** A group that keeps the log full. */
  holder(group: string): Promise<Holder> {
    return this.#trim.holder(this.#partition, group);
  }
}

/** The bounds of a log for the scripts that write to it: messages at the most, or 0; whether its memory has a bound. */
export function boundsOf(retention: Retention | null): [maxMessages: number, hasMaxBytes: '0' | '1'] {
  return [retention?.maxMessages ?? 0, (retention?.maxBytes ?? null) === null ? '0' : '1'];
}
