import type { PendingDelivery } from '../consume/pending-delivery.js';
import type { AttemptRecord } from './attempt-record.js';

/** A message, and its crashes with that of the last owner. */
interface Suspect {
  readonly name: string;
  readonly crashes: number;
}

/** A message that is read after a death. */
interface Read {
  readonly delivery: PendingDelivery;
  /** Names its lane among those of the partition. */
  readonly lane: string;
  /** Whether the owner before may have died with it, if it is the first of its lane. */
  readonly mayBeFirst: boolean;
}

/**
 * The messages with which an owner before may have died: the first one of each lane, since a handler can have had no other. Only
 * one that was begun alone, by an owner that has died, is known to have been in the hands of a handler then, so only that one
 * counts more than one crash. A death counts once, however often a message is read, and whoever reads it.
 */
export class Suspects {
  /** By lane, the first message that has been found since the death. */
  readonly #found = new Map<string, Suspect>();
  /** Those that count a crash of which Redis does not know yet: the next owner would not count it. */
  readonly #unmarked = new Set<string>();
  /** Released keys whose first message is still to be found. */
  readonly #keys = new Set<string>();
  readonly #onCounted: (death: number) => void;
  #epoch = 0;
  /** The epoch of the last owner that died, while its death is not known to be counted. */
  #death: number | null = null;
  /** Whether first messages of lanes are still to be found: until all has been read that the owner before can have had. */
  #isFinding = false;
  /** Until it is read whether there is a death to count. */
  #mayInherit = false;

  /** @param onCounted called with the epoch of a dead owner when Redis knows all crashes that its death counts */
  constructor(onCounted: (death: number) => void) {
    this.#onCounted = onCounted;
  }

  /** The partition has another owner, this member. */
  owned(epoch: number): void {
    this.#found.clear();
    this.#unmarked.clear();
    this.#keys.clear();
    this.#epoch = epoch;
    this.#death = null;
    this.#isFinding = false;
    this.#mayInherit = true;
  }

  /** @param death the epoch of the last owner that died, where that is not counted yet; null where it is */
  inherit(death: number | null): void {
    if (!this.#mayInherit) return;
    this.#mayInherit = false;
    this.#death = death;
    this.#isFinding = death !== null;
  }

  /** Whether the first messages that are read of each lane are suspects. */
  get isFinding(): boolean {
    return this.#isFinding;
  }

  /** All is read that owners have read before, but for the messages of these released keys. */
  allRead(keys: Iterable<string>): void {
    if (!this.#isFinding) return;
    this.#isFinding = false;
    for (const key of keys) this.#keys.add(key);
    this.#look();
  }

  /** The first message of a released key is read, and is looked at next. @returns whether it may be a suspect */
  firstOf(key: string): boolean {
    return this.#keys.delete(key);
  }

  /** A released key has no message, or an operator has to release it again. */
  noneOf(key: string): void {
    this.#keys.delete(key);
    this.#look();
  }

  /** The message is to have no crashes behind it. */
  beginsAnew(name: string): void {
    for (const [lane, first] of this.#found) if (first.name === name) this.#found.set(lane, { name, crashes: 0 });
    this.ended(name);
  }

  /** Redis knows the crashes of the message. */
  marked(name: string, epoch: number | null): void {
    if (epoch === this.#epoch) this.ended(name);
  }

  /** The message ends: it is nobody's suspect any more. */
  ended(name: string): void {
    this.#unmarked.delete(name);
    this.#look();
  }

  /** Whether the next owner has nothing to count, should the partition be given up now. */
  get areCounted(): boolean {
    return !this.#mayInherit && !this.#isFinding && this.#unmarked.size + this.#keys.size === 0;
  }

  /** @param record what owners have noted of its attempts */
  crashesOf({ delivery, lane, mayBeFirst }: Read, record: AttemptRecord | undefined): number {
    const { name } = delivery;
    const { crashes, begunIn } = record ?? { crashes: delivery.crashes, begunIn: 0 };
    if (mayBeFirst && !this.#found.has(lane)) this.#find(lane, { name, crashes, begunIn });
    this.#look();
    const first = this.#found.get(lane);
    return first?.name === name ? first.crashes : crashes;
  }

  #look(): void {
    if (this.#death === null || !this.areCounted) return;
    this.#onCounted(this.#death);
    this.#death = null;
  }

  /** A message that was begun in a later tenure than that of the dead owner has counted its death by then. */
  #find(lane: string, { name, crashes, begunIn }: Suspect & Pick<AttemptRecord, 'begunIn'>): void {
    const wasBegun = begunIn > 0 && begunIn <= this.#death!;
    const isCounted = crashes > 0 && !wasBegun;
    this.#found.set(lane, { name, crashes: isCounted ? crashes : crashes + 1 });
    if (!isCounted) this.#unmarked.add(name);
  }
}
