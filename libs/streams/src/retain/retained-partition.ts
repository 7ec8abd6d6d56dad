import type { Retention } from '@millrace/core';
import type { BlockingGroup, LogTrim, Capacity } from './log-trim.js';

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

  /** Trims until there is room for so many messages; there may be less room, or none. */
  async makeRoom(wanted: number): Promise<Capacity> {
    const room = await this.#trim.trim({ partition: this.#partition, wanted, everyMs: 0 });
    // A log that is gone has no bounds; the next publish will notice.
    return typeof room === 'string' ? { messages: wanted, blockingGroup: null } : room;
  }

  /** Details of a group that keeps the log full. */
  blockingGroup(group: string): Promise<BlockingGroup> {
    return this.#trim.blockingGroup(this.#partition, group);
  }
}

/** The bounds of a log for the scripts that write to it: messages at the most, or 0; whether its memory has a bound. */
export function boundsOf(retention: Retention | null): [maxMessages: number, hasMaxBytes: '0' | '1'] {
  return [retention?.maxMessages ?? 0, (retention?.maxBytes ?? null) === null ? '0' : '1'];
}
