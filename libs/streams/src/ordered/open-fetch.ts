import { settlesWithin } from '@millrace/redis';
import { fieldsWith } from '../log/entry.js';
import { spanOfId } from '../log/entry-id.js';
import type { HandedOver } from '../ring/ring-text.js';
import type { PendingDelivery } from '../consume/pending-delivery.js';
import type { OwnedPartition, ReadPosition } from './owned-partition.js';

/** Rings and replies come over different connections: so long a reply waits for entries that were handed over before it. */
const LATE_RING_MS = 100;
const NOTHING: ReadonlyMap<string, PendingDelivery> = new Map();

export interface OpenFetchParts {
  readonly partition: Pick<OwnedPartition, 'place' | 'epoch' | 'take' | 'restart'>;
  /** Entries were handed over, and are to be read. */
  readonly missed: () => void;
  /** Entries with so many messages were taken in. */
  readonly brought: (entries: number, messages: number) => void;
  /** There was no room for more. */
  readonly usedUp: () => void;
}

interface Open {
  readonly fetch: number;
  readonly position: ReadPosition;
  /** Messages for which there is room. */
  room: number;
  /** Entries that were handed over to it and are taken in. */
  count: number;
}

/**
 * The fetch that a member has left open in the log of a partition. An entry that is published then is handed over to it: Redis
 * holds it for the owner as if the fetch had brought it, and the ring tells it. The next fetch closes it, and says how many there
 * were: with any doubt the member reads again all that it holds.
 */
export class OpenFetch {
  readonly #parts: OpenFetchParts;
  /** Fetches that were sent. */
  #sent = 0;
  /** Whether one is under way that may be left open. */
  #isUnderWay = false;
  #open: Open | null = null;
  /** Handed over to the fetch that is under way. */
  #early: HandedOver[] = [];
  /** Entries are taken in one after the other. */
  #taking = Promise.resolve();
  #heard: (() => void) | null = null;

  constructor(parts: OpenFetchParts) {
    this.#parts = parts;
  }

  /** @returns the number of the fetch */
  sends(): number {
    this.#early = [];
    this.#isUnderWay = true;
    this.#sent += 1;
    return this.#sent;
  }

  /** @returns whether the entries are taken in, now or when the reply to the fetch has come */
  handedOver(given: HandedOver): boolean {
    if (given.epoch !== this.#parts.partition.epoch) return false;
    if (this.#isUnderWay && given.fetch === this.#sent) this.#early.push(given);
    else if (given.fetch === this.#open?.fetch) this.#take(this.#open, given);
    else return false;
    this.#heard?.();
    return true;
  }

  /**
   * A later fetch has closed it.
   *
   * @param record `<number> <entries handed over>` as Redis has it
   * @returns false when entries were handed over that did not come
   */
  async closed(record: string): Promise<boolean> {
    const open = this.#open;
    if (open === null) return true;
    const [fetch, count] = record.split(' ').map(Number);
    if (fetch === open.fetch && count! > open.count) await this.#reaches(open, count!);
    this.#open = null;
    await this.#taking;
    return fetch === open.fetch && count === open.count;
  }

  /** The fetch under way has brought all that there was, and is open for so many messages; 0 when it is not. */
  opened(position: ReadPosition, room: number): void {
    this.#isUnderWay = false;
    this.#open = room > 0 ? { fetch: this.#sent, position: { ...position, inHand: NOTHING }, room, count: 0 } : null;
    for (const given of this.#early.splice(0)) if (this.#open) this.#take(this.#open, given);
  }

  /** The fetch under way has failed, or the partition is another's. */
  failed(): void {
    this.#isUnderWay = false;
    this.#open = null;
    this.#early = [];
  }

  get isOpen(): boolean {
    return this.#open !== null;
  }

  /** Those that have come before come to nothing. Behind some that are missing the member reads all again. */
  #take(open: Open, { count, entries }: HandedOver): void {
    if (count <= open.count) return;
    if (count > open.count + entries.length) {
      this.#open = null;
      this.#parts.partition.restart();
      this.#parts.missed();
      return;
    }
    open.count = count;
    open.room -= entries.reduce((messages, { id }) => messages + (spanOfId(id)?.size ?? 1), 0);
    this.#taking = this.#taking.then(() => this.#takeIn(open.position, entries));
    if (open.room <= 0) this.#parts.usedUp();
  }

  /** It never rejects: a read that is refused is repeated by the fetcher, which sees why. */
  async #takeIn(position: ReadPosition, entries: HandedOver['entries']): Promise<void> {
    const { partition, brought, missed } = this.#parts;
    const [log] = partition.place.streams;
    try {
      const messages = await partition.take(log, entries.map(({ id, text }) => ({ id, fields: fieldsWith(text) })), position);
      if (messages === null) missed();
      else brought(entries.length, messages);
    } catch {
      partition.restart();
      missed();
    }
  }

  async #reaches(open: Open, count: number): Promise<void> {
    const reached = new Promise<void>((resolve) => {
      this.#heard = () => {
        if (open.count >= count || this.#open !== open) resolve();
      };
    });
    await settlesWithin(reached, LATE_RING_MS);
    this.#heard = null;
  }
}
