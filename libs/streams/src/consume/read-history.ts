import { isDeepStrictEqual } from 'node:util';
import type { RedisConnection } from '@millrace/redis';
import { type GivenAgain, readGivenAgain, type Replay, replayAt } from '../group/replays.js';
import { SETTLED_PAGE_OFFSETS, settledKey } from '../keys.js';
import type { GroupPartition, GroupStream } from './group-partition.js';
import type { HeldEntry } from './held-entry.js';
import type { PendingDelivery } from './pending-delivery.js';

export interface ReadHistoryParts {
  readonly redis: RedisConnection;
  readonly prefix: string;
  /** `isSure`: nobody can have moved the group without this member. */
  readonly presence: { readonly isSure: boolean };
}

/** Knows which messages of a partition the group may have settled before: after a seek, or when the group was made again. */
export class ReadHistory {
  readonly #parts: ReadHistoryParts;
  readonly #place: GroupPartition;
  #replays: readonly Replay[] = [];
  /** Messages before this offset may be settled; 0 when none that comes can be. */
  #rereadUntil = 0;
  /** The group was made again when the log ended at this offset. */
  #remadeAt = 0;
  /** Settled messages may come up to the present end of the log, which is still to be looked up. */
  #isGivenAgain = false;
  #isStale = false;
  /** Offset of the last entry of the log that was new to this member. */
  #lastBase = -1;
  /** The last look into Redis, which all wait for that came before its answer: they go on in the order in which they came. */
  #learning = Promise.resolve();
  /** Looks that are on their way. */
  #looks = 0;

  constructor(parts: ReadHistoryParts, place: GroupPartition) {
    this.#parts = parts;
    this.#place = place;
  }

  /** Settled messages may come again, up to the present end of the log. */
  givenAgain(): void {
    this.markStale();
    this.#isGivenAgain = true;
  }

  /** The partition may have begun anew: the member looks again for seeks before it hands out more. */
  markStale(): void {
    this.#isStale = true;
  }

  /** New entries of a stream have come. Offsets of the log grow, unless the group was made again, and begins anew. */
  saw({ kind }: GroupStream, entries: readonly { readonly entry: Pick<HeldEntry, 'base'> }[]): void {
    if (kind !== 'log') return;
    for (const { entry: { base } } of entries) {
      if (base < 0) continue;
      if (base <= this.#lastBase) this.givenAgain();
      this.#lastBase = base;
    }
  }

  /** Whether the group cannot have settled any message that comes. */
  get isPlain(): boolean {
    return this.#rereadUntil === 0 && !this.#isStale && this.#looks === 0 && this.#parts.presence.isSure;
  }

  /** The seek by which the group is given this offset again; null when there is none. */
  replayAt(offset: number): Replay | null {
    return this.#replays.length === 0 ? null : replayAt(this.#replays, offset);
  }

  /**
   * Looks which replays seeks have asked for, and whether the group was made again. Both are gone when the log began anew, or
   * with the primary that knew of them.
   */
  learn(): Promise<void> {
    this.#isStale = false;
    this.#learning = this.#look();
    return this.#learning;
  }

  /** Those messages of an entry that the group has not settled. */
  async unsettledOf(entry: HeldEntry, deliveries: readonly PendingDelivery[]): Promise<readonly PendingDelivery[]> {
    await this.#refresh();
    return this.#mayBeKnown(entry) ? this.unmarked(deliveries) : deliveries;
  }

  /** Those messages of one entry of the log that are not marked as settled. */
  async unmarked(deliveries: readonly PendingDelivery[]): Promise<readonly PendingDelivery[]> {
    const bits = deliveries.flatMap(({ offset }) => ['GET', 'u1', offset % SETTLED_PAGE_OFFSETS]);
    const key = settledKey(this.#parts.prefix, this.#place, deliveries[0]!.offset);
    const settled = (await this.#parts.redis.call('BITFIELD_RO', key, ...bits)) as number[];
    return deliveries.filter((_, index) => settled[index] === 0);
  }

  #refresh(): Promise<void> {
    const isToLook = this.#isStale || (this.#looks === 0 && !this.#parts.presence.isSure);
    return isToLook ? this.learn() : this.#learning;
  }

  async #look(): Promise<void> {
    const isGivenAgain = this.#isGivenAgain;
    this.#isGivenAgain = false;
    this.#looks += 1;
    try {
      const { redis } = this.#parts;
      const reads = [readGivenAgain(redis, this.#place), redis.call('HGET', this.#place.keys.meta, 'next')] as const;
      const [given, end] = await Promise.all(reads);
      this.#takeIn(given, isGivenAgain, Number(end));
    } catch (error) {
      this.givenAgain();
      throw error;
    } finally {
      this.#looks -= 1;
    }
  }

  #takeIn({ replays, remadeAt }: GivenAgain, isGivenAgain: boolean, end: number): void {
    const isMoved = !isDeepStrictEqual(this.#replays, replays);
    if (isGivenAgain || isMoved) this.#rereadUntil = Math.max(this.#rereadUntil, end);
    if (remadeAt > this.#remadeAt) this.#rereadUntil = Math.max(this.#rereadUntil, remadeAt);
    [this.#replays, this.#remadeAt] = [replays, remadeAt];
  }

  #mayBeKnown({ stream, base }: HeldEntry): boolean {
    if (stream.kind === 'again' || base < 0) return false;
    if (base >= this.#rereadUntil) this.#rereadUntil = 0;
    return base < this.#rereadUntil;
  }
}
