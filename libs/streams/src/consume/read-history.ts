import { isDeepStrictEqual } from 'node:util';
import type { RedisConnection } from '@millrace/redis';
import { readGivenAgain, type Replay, replayAt } from '../group/replays.js';
import { SETTLED_PAGE_OFFSETS, settledKey } from '../keys.js';
import type { GroupPartition } from './group-partition.js';
import type { HeldEntry } from './held-entry.js';
import type { PendingDelivery } from './pending-delivery.js';

export interface ReadHistoryParts {
  readonly redis: RedisConnection;
  readonly prefix: string;
  /** `isSure`: nobody can have moved the group without this member. */
  readonly presence: { readonly isSure: boolean };
}

/** A part of the log that is read again: up to the end that the log had at that moment, once it is known. */
interface Reread {
  readonly until: number | null;
}

/** Knows which messages of a partition the group may have settled before: after a seek, or when the group was made again. */
export class ReadHistory {
  readonly #parts: ReadHistoryParts;
  readonly #place: GroupPartition;
  #replays: readonly Replay[] = [];
  #reread: Reread | null = null;
  /** The group was made again when the log ended at this offset. */
  #remadeAt = 0;
  #isStale = false;

  constructor(parts: ReadHistoryParts, place: GroupPartition) {
    this.#parts = parts;
    this.#place = place;
  }

  /** Settled messages may come again, up to the present end of the log. */
  givenAgain(): void {
    this.markStale();
    this.#reread ??= { until: null };
  }

  /** The partition may have begun anew: the member looks again for seeks before it hands out more. */
  markStale(): void {
    this.#isStale = true;
  }

  /** Whether the group cannot have settled any message that comes. */
  get isPlain(): boolean {
    return this.#reread === null && !this.#isStale && this.#parts.presence.isSure;
  }

  /** The number of the seek by which the group is given this offset again; null when there is none. */
  replayAt(offset: number): number | null {
    return this.#replays.length === 0 ? null : replayAt(this.#replays, offset);
  }

  /**
   * Looks which replays seeks have asked for, and whether the group was made again. Both are gone when the log began anew, or
   * with the primary that knew of them.
   */
  async learn(): Promise<void> {
    const { replays, remadeAt } = await readGivenAgain(this.#parts.redis, this.#place);
    const until = this.#reread === null ? 0 : this.#reread.until;
    if (remadeAt > this.#remadeAt && until !== null) this.#reread = { until: Math.max(remadeAt, until) };
    this.#remadeAt = remadeAt;
    if (isDeepStrictEqual(this.#replays, replays)) return;
    this.#replays = replays;
    this.givenAgain();
  }

  /** Those messages of an entry that the group has not settled. */
  async unsettledOf(entry: HeldEntry, deliveries: readonly PendingDelivery[]): Promise<readonly PendingDelivery[]> {
    await this.#refresh();
    return (await this.#mayBeKnown(entry)) ? this.unmarked(deliveries) : deliveries;
  }

  /** Those messages of one entry of the log that are not marked as settled. */
  async unmarked(deliveries: readonly PendingDelivery[]): Promise<readonly PendingDelivery[]> {
    const bits = deliveries.flatMap(({ offset }) => ['GET', 'u1', offset % SETTLED_PAGE_OFFSETS]);
    const key = settledKey(this.#parts.prefix, this.#place, deliveries[0]!.offset);
    const settled = (await this.#parts.redis.call('BITFIELD_RO', key, ...bits)) as number[];
    return deliveries.filter((_, index) => settled[index] === 0);
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
}
