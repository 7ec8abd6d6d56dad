import type { GroupPartition, GroupStream } from './group-partition.js';
import type { HeldEntry, Moment } from './held-entry.js';

export interface HeldEntriesParts {
  readonly leaseMs: number;
  /** How often the connections that bring entries were lost so far. */
  readonly losses: () => number;
  /** Called when an entry was lost to another member, or is gone. */
  readonly onLost: (partition: GroupPartition) => void;
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
    if (performance.now() - entry.renewedAt > this.#parts.leaseMs) this.lost(entry);
    return !entry.isGivenUp;
  }

  /** The entry belongs to another member by now: its handlers are told, and nothing of it is renewed any more. */
  lost(entry: HeldEntry): void {
    if (!this.#messages.delete(entry)) return;
    entry.giveUp('the lease of this message was lost to another member');
    this.#parts.onLost(entry.stream.partition);
  }

  /** Tells every handler that is still running to stop. */
  giveUpAll(reason: string): void {
    for (const entry of this.#messages.keys()) entry.giveUp(reason);
  }

  in(partition: GroupPartition): HeldEntry[] {
    return [...this.#messages.keys()].filter((entry) => entry.stream.partition === partition);
  }

  idsIn(stream: GroupStream): string[] {
    return [...this.#messages.keys()].filter((entry) => entry.stream === stream).map((entry) => entry.id);
  }
}
