import type { RedisConnection } from '@millrace/redis';
import { SETTLED_PAGE_OFFSETS, settledKey } from '../keys.js';
import type { Dispatcher } from './dispatcher.js';
import type { GroupStream } from './group-partition.js';
import type { HeldEntries } from './held-entries.js';
import { type ReadEntry, type Work, workOf } from './work.js';

export interface IntakeParts {
  readonly redis: RedisConnection;
  readonly prefix: string;
  readonly held: HeldEntries;
  readonly dispatcher: Dispatcher;
}

/** Takes entries that were read or reclaimed into this member's hands. */
export class Intake {
  readonly #parts: IntakeParts;

  constructor(parts: IntakeParts) {
    this.#parts = parts;
  }

  async take(stream: GroupStream, reads: readonly ReadEntry[]): Promise<void> {
    for (const read of reads) {
      const { entry, work } = workOf(stream, read);
      // Held before anything is awaited: what is not held is not renewed, and would be reclaimed.
      this.#parts.held.add(entry, work.length);
      const open = read.deliveryCount > 1 && work.length > 1 ? await this.#unsettled(work) : work;
      for (let settled = work.length - open.length; settled > 0; settled -= 1) this.#parts.held.settled(entry);
      this.#parts.dispatcher.add(open);
    }
  }

  /** Of an entry that was delivered before, what its earlier holder did not settle. */
  async #unsettled(work: readonly Work[]): Promise<readonly Work[]> {
    const { partition } = work[0]!.entry.stream;
    const bits = work.flatMap(({ offset }) => ['GET', 'u1', offset % SETTLED_PAGE_OFFSETS]);
    const key = settledKey(this.#parts.prefix, partition, work[0]!.offset);
    const settled = (await this.#parts.redis.call('BITFIELD_RO', key, ...bits)) as number[];
    return work.filter((_, index) => settled[index] === 0);
  }
}
