import { MillraceError } from '@millrace/core';
import type { GroupPartition, GroupStream } from './group-partition.js';
import type { HeldEntry, Moment } from './held-entry.js';

export interface HeldEntriesParts {
  readonly leaseMs: number;
  /** How often the connections that bring entries were lost so far. */
  readonly losses: () => number;
  /** Called when an entry was lost to another member, or is gone. */
  readonly onLost: (partition: GroupPartition) => void;
  /** Renews what is held in a partition, and gives up what turns out to be lost. */
  readonly renew: (partition: GroupPartition) => Promise<void>;
}

/** Everything that this member holds for one subscription, from the read that brought it until it is settled. */
export class HeldEntries {
  readonly #messages = new Map<HeldEntry, number>();
  readonly #parts: HeldEntriesParts;

  constructor(parts: HeldEntriesParts) {
    this.#parts = parts;
  }

  moment(): Moment {
    return { atMs: performance.now(), losses: this.#parts.losses() };
  }

  /**
   * Whether Redis may mean another entry by now: it came over a connection that was lost, perhaps to a primary that failed,
   * and the next one gives its ids, delivery counts and offsets again.
   */
  isInDoubt(entry: HeldEntry): boolean {
    return entry.losses !== this.#parts.losses();
  }

  /** @param messages how many of the entry's messages are to be settled by us */
  add(entry: HeldEntry, messages: number): void {
    entry.confirmedBy = this.#confirm;
    this.#messages.set(entry, messages);
  }

  /** One message of the entry is settled; the entry is let go of with its last. */
  settled(entry: HeldEntry): void {
    const left = (this.#messages.get(entry) ?? 0) - 1;
    if (left > 0) this.#messages.set(entry, left);
    else this.#messages.delete(entry);
  }

  /** Whether work on the entry may begin: not when it was lost, nor when its lease has run out: it may be another's by now. */
  mayBegin(entry: HeldEntry): boolean {
    if (this.#hasRunOut(entry)) this.lost(entry);
    return !entry.isGivenUp;
  }

  /** Whether outcomes of the entry are this member's to write: until they are written, or until it was lost. */
  has(entry: HeldEntry): boolean {
    return this.#messages.has(entry);
  }

  /** The entry belongs to another member by now: its handlers are told, and nothing of it is renewed any more. */
  lost(entry: HeldEntry): void {
    if (!this.#messages.delete(entry)) return;
    entry.giveUp(leaseLost(entry.stream));
    this.#parts.onLost(entry.stream.partition);
  }

  /** Tells every handler that is still running to stop. The entries stay held until they are put back. */
  giveUpAll(reason: MillraceError): void {
    for (const entry of this.#messages.keys()) entry.giveUp(reason);
  }

  in(partition: GroupPartition): HeldEntry[] {
    return [...this.#messages.keys()].filter((entry) => entry.stream.partition === partition);
  }

  idsIn(stream: GroupStream): string[] {
    return [...this.#messages.keys()].filter((entry) => entry.stream === stream).map((entry) => entry.id);
  }

  /** Redis is asked only when the lease has run out by the clock of this process. */
  readonly #confirm = async (entry: HeldEntry): Promise<void> => {
    if (entry.isGivenUp || !this.#hasRunOut(entry)) return;
    // Without an answer nobody knows: settling is fenced all the same.
    await this.#parts.renew(entry.stream.partition).catch(() => undefined);
  };

  #hasRunOut({ renewedAt }: HeldEntry): boolean {
    return performance.now() - renewedAt > this.#parts.leaseMs;
  }
}

function leaseLost({ partition: { topic, group } }: GroupStream): MillraceError {
  return new MillraceError(
    'STATE_LOST',
    `A message of topic '${topic}' was taken from this process: its lease was lost, and another member of group '${group}' has it ` +
      'by now. Nothing that follows counts: stop.',
  );
}
