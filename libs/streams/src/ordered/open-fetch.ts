import { settlesWithin } from '@millrace/redis';
import { fieldsWith } from '../log/entry.js';
import { spanOfId } from '../log/entry-id.js';
import { endOf, type HandedOver } from '../ring/ring-text.js';
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
}

interface Open {
  readonly fetch: number;
  readonly position: ReadPosition;
  /** The offset of the message that is handed over next. */
  next: number;
}

/**
 * The fetch that a member has left open in the log of a partition. An entry that is published while the group has nothing pending
 * is handed over to it: Redis holds it for the owner as if the fetch had brought it, and a ring brings it. The next fetch closes
 * it, and says up to which offset there were some: with any doubt the member reads again all that it holds.
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
  /** Entries are taken in one after the other; null while none is. */
  #taking: Promise<void> | null = null;
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
   * @param record `<number> <offset up to which messages were handed over>` as Redis has it, empty where none was open
   * @param round of the later fetch: what is handed over in an earlier one is read again
   * @returns false when messages may have been handed over that did not come
   */
  async closed(record: string, round: number): Promise<boolean> {
    const open = this.#open;
    if (open && open.position.round !== round) this.#open = null;
    if (!open || !this.#open) return open !== null || record === '';
    const [fetch, end] = numbersIn(record);
    if (fetch === open.fetch && end > open.next) await this.#reaches(open, end);
    this.#open = null;
    await this.#taking;
    return fetch === open.fetch && end <= open.next;
  }

  /** The fetch under way has brought all before an offset, and is open from there on; null when it is not. */
  opened(position: ReadPosition, next: number | null): void {
    this.#isUnderWay = false;
    this.#open = next === null ? null : { fetch: this.#sent, position: { ...position, inHand: NOTHING }, next };
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
  #take(open: Open, given: HandedOver): void {
    const { entries } = given;
    const [first, end] = [baseOf(entries[0]), endOf(given)];
    if (end <= open.next) return;
    if (first !== open.next || Number.isNaN(end)) {
      this.#open = null;
      this.#refused();
      return;
    }
    open.next = end;
    this.#takeNext(open.position, entries);
  }

  /** At once where it can be, which is quicker: handlers begin before anything else is heard. */
  #takeNext(position: ReadPosition, entries: HandedOver['entries']): void {
    const before = this.#taking;
    const taking = before ? before.then(() => this.#takeIn(position, entries)) : this.#takeIn(position, entries);
    if (!taking) return;
    const taken: Promise<void> = taking.then(() => {
      if (this.#taking === taken) this.#taking = null;
    });
    this.#taking = taken;
  }

  /** It never rejects. */
  #takeIn(position: ReadPosition, entries: HandedOver['entries']): Promise<void> | undefined {
    const { partition } = this.#parts;
    const [log] = partition.place.streams;
    const messages = partition.take(log, entries.map(({ id, text }) => ({ id, fields: fieldsWith(text) })), position);
    if (messages instanceof Promise) return messages.then((count) => this.#took(entries, count), () => this.#refused());
    this.#took(entries, messages);
    return undefined;
  }

  #took(entries: HandedOver['entries'], messages: number | null): void {
    if (messages === null) this.#parts.missed();
    else this.#parts.brought(entries.length, messages);
  }

  /** The fetcher repeats the read, and sees why. */
  #refused(): void {
    this.#parts.partition.restart();
    this.#parts.missed();
  }

  async #reaches(open: Open, end: number): Promise<void> {
    const reached = new Promise<void>((resolve) => {
      this.#heard = () => {
        if (open.next >= end || this.#open !== open) resolve();
      };
    });
    await settlesWithin(reached, LATE_RING_MS);
    this.#heard = null;
  }
}

/** NaN for none, and for one that is not ours: it is read again. */
function baseOf(entry: HandedOver['entries'][number] | undefined): number {
  return (entry && spanOfId(entry.id)?.base) ?? NaN;
}

/** NaN for what is no number, or is not there. */
function numbersIn(record: string): [fetch: number, end: number] {
  const [fetch, end] = record.split(' ').map((text) => (text === '' ? NaN : Number(text)));
  return [fetch ?? NaN, end ?? NaN];
}
