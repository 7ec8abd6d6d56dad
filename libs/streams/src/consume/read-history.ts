import { isDeepStrictEqual } from 'node:util';
import type { RedisConnection } from '@millrace/redis';
import { readReplays, type Replay, replayAt } from '../group/replays.js';
import { SETTLED_PAGE_OFFSETS, settledKey } from '../keys.js';
import type { GroupPartition } from './group-partition.js';
import type { HeldEntry } from './held-entry.js';
import type { PendingDelivery } from './pending-delivery.js';

export interface ReadHistoryParts {
  readonly redis: RedisConnection;
  readonly prefix: string;
  /** Whether nobody can have moved the group without this member. */
  readonly presence: { readonly isSure: boolean };
}

/** How far a reading that begins anew goes: to the end of the log at that moment, once it is known. */
interface Reread {
  readonly until: number | null;
}

/** Which messages of a partition its group may have settled before: after a seek, or when the group was made again. */
export class ReadHistory {
  readonly #parts: ReadHistoryParts;
  readonly #place: GroupPartition;
  #replays: readonly Replay[] = [];
  #reread: Reread | null = null;
  #isStale = false;

  constructor(parts: ReadHistoryParts, place: GroupPartition) {
    this.#parts = parts;
    this.#place = place;
  }

  /** Messages up to the present end of the log may come though they are settled. */
  givenAgain(): void {
    this.markStale();
    this.#reread ??= { until: null };
  }

  /** The partition may have begun anew: before more is handed out, the member looks again what a seek asked for. */
  markStale(): void {
    this.#isStale = true;
  }

  /** Whether nothing that comes can be known to the group already. */
  get isPlain(): boolean {
    return this.#reread === null && !this.#isStale && this.#parts.presence.isSure;
  }

  /** The number of the seek by which the group is given this offset again; null when there was none. */
  replayAt(offset: number): number | null {
    return this.#replays.length === 0 ? null : replayAt(this.#replays, offset);
  }

  /** Looks what a seek asked for: it is gone when the log began anew, or with the primary that knew of it. */
  async learn(): Promise<void> {
    const replays = await readReplays(this.#parts.redis, this.#place);
    if (isDeepStrictEqual(this.#replays, replays)) return;
    this.#replays = replays;
    this.givenAgain();
  }

  /** The messages of an entry that the group has not settled. */
  async unsettledOf(entry: HeldEntry, deliveries: readonly PendingDelivery[]): Promise<readonly PendingDelivery[]> {
    await this.#refresh();
    return (await this.#mayBeKnown(entry)) ? this.#unmarked(deliveries) : deliveries;
  }

  async #refresh(): Promise<void> {
    if (!this.#isStale && this.#parts.presence.isSure) return;
    this.#isStale = false;
    try {
      await this.learn();
    } catch (error) {
      this.#isStale = true;
      throw error;
    }
  }

  async #mayBeKnown({ stream, base }: HeldEntry): Promise<boolean> {
    if (stream.kind === 'again' || base < 0 || this.#reread === null) return false;
    const until = this.#reread.until ?? Number(await this.#parts.redis.call('HGET', this.#place.keys.meta, 'next'));
    this.#reread = base < until ? { until } : null;
    return base < until;
  }

  async #unmarked(deliveries: readonly PendingDelivery[]): Promise<readonly PendingDelivery[]> {
    const bits = deliveries.flatMap(({ offset }) => ['GET', 'u1', offset % SETTLED_PAGE_OFFSETS]);
    const key = settledKey(this.#parts.prefix, this.#place, deliveries[0]!.offset);
    const settled = (await this.#parts.redis.call('BITFIELD_RO', key, ...bits)) as number[];
    return deliveries.filter((_, index) => settled[index] === 0);
  }
}
