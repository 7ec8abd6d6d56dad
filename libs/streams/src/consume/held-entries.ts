import { MillraceError } from '@millrace/core';
import type { Feedback } from './feedback.js';
import type { GroupPartition, GroupStream } from './group-partition.js';
import type { HeldEntry, Moment } from './held-entry.js';
import type { Holdings } from './holdings.js';

export interface HeldEntriesParts {
  readonly holdings: Pick<Holdings, 'of' | 'has'>;
  /** `isSure`: nobody can have taken this process for dead. */
  readonly presence: { readonly isSure: boolean };
  /** The epoch of a stream grows when a connection is lost over which its entries come. */
  readonly way: { epochOf(stream: GroupStream): number };
  readonly feedback: Pick<Feedback, 'becameStale' | 'givenAgain'>;
}

/** Everything that this member holds for one subscription, from the read that brought it until it is settled. */
export class HeldEntries {
  readonly #entries = new Set<HeldEntry>();
  readonly #parts: HeldEntriesParts;
  #returns = 0;
  /** The number of returns at the last verification. */
  #verified = 0;

  constructor(parts: HeldEntriesParts) {
    this.#parts = parts;
  }

  /** This moment, for a read of the stream. */
  moment(stream: GroupStream): Moment {
    return { connectionEpoch: this.#parts.way.epochOf(stream), returns: this.#returns };
  }

  /** Whether this member owns all its entries for sure: only then a message may begin. */
  get isSure(): boolean {
    return this.#verified === this.#returns && this.#parts.presence.isSure;
  }

  /** Others may have taken this process for dead, and own its entries by now. */
  markStale(): void {
    this.#returns += 1;
  }

  /** A read that was sent at that moment has brought entries; others may have put them back since. */
  brought({ returns }: Moment): void {
    if (returns === this.#returns) return;
    this.markStale();
    this.#parts.feedback.becameStale();
  }

  /**
   * Asks Redis which entries are still held, and gives up the others.
   *
   * @param places those of other partitions are as sure as before. Default: all
   */
  async verify(places?: readonly GroupPartition[]): Promise<void> {
    const returns = this.#returns;
    const all = [...this.#entries];
    const entries = places === undefined ? all : all.filter(({ stream }) => places.includes(stream.partition));
    for (const stream of new Set(entries.map((entry) => entry.stream))) {
      const ids = await this.#parts.holdings.of(stream);
      for (const entry of entries) if (entry.stream === stream && !ids.has(entry.id)) this.lost(entry);
    }
    if (entries.length === all.length) this.#verified = returns;
  }

  /**
   * Whether the id may belong to another entry by now: this one came over a connection that was lost, perhaps to a primary that
   * failed, and the next primary gives the same ids and offsets to other entries.
   */
  isStale(entry: HeldEntry): boolean {
    return entry.connectionEpoch !== this.#parts.way.epochOf(entry.stream);
  }

  add(entry: HeldEntry): void {
    entry.confirmedBy = this.#confirm;
    this.#entries.add(entry);
  }

  /** Messages of the entry are settled. The entry is released with its last one. */
  settled(entry: HeldEntry, messages = 1): void {
    entry.unsettled -= messages;
    if (entry.unsettled <= 0) this.#entries.delete(entry);
  }

  /** Whether this member still has to write outcomes of the entry: until all are written, or the entry is lost. */
  has(entry: HeldEntry): boolean {
    return this.#entries.has(entry);
  }

  /** The entry belongs to another member by now, or to none: its handlers are to stop. */
  lost(entry: HeldEntry, reason: MillraceError = leaseLost(entry.stream)): void {
    if (!this.#entries.delete(entry)) return;
    entry.giveUp(reason);
    this.#parts.feedback.givenAgain(entry.stream.partition);
  }

  /** All entries of a partition are lost. */
  lostOf(partition: GroupPartition, reason: MillraceError): void {
    for (const entry of this.#entries) if (entry.stream.partition === partition) this.lost(entry, reason);
  }

  /** Has every handler that still runs stop. The entries stay held until they are put back. */
  giveUpAll(reason: MillraceError): void {
    for (const entry of this.#entries) entry.giveUp(reason);
  }

  idsIn(stream: GroupStream): string[] {
    return [...this.#entries].filter((entry) => entry.stream === stream).map((entry) => entry.id);
  }

  /** How many entries are held of each stream. */
  counts(): ReadonlyMap<GroupStream, number> {
    const counts = new Map<GroupStream, number>();
    for (const { stream } of this.#entries) counts.set(stream, (counts.get(stream) ?? 0) + 1);
    return counts;
  }

  /** How many entries are held, of all streams. */
  get size(): number {
    return this.#entries.size;
  }

  /** Redis is asked only when others may have taken this process for dead. */
  readonly #confirm = async (entry: HeldEntry): Promise<void> => {
    if (entry.isGivenUp || this.isSure) return;
    // Without an answer it goes on: the settlement is fenced anyway.
    const isHeld = await this.#parts.holdings.has(entry).catch(() => true);
    if (!isHeld) this.lost(entry);
  };
}

function leaseLost({ partition: { topic, group } }: GroupStream): MillraceError {
  return new MillraceError(
    'STATE_LOST',
    `A message of topic '${topic}' was taken from this process: its lease was lost, and another member of group '${group}' has it ` +
      'by now. Nothing that follows counts: stop.',
  );
}
