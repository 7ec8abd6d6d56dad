/** A model of the scripts of ordered mode, for one group in one partition: the same rules over plain data, without Redis. */
export const OWNERS = ['a', 'b', 'c'] as const;
export type Owner = (typeof OWNERS)[number];

/** A member as it sees itself: whether it owns the partition by now, the record alone says. */
export interface Tenure {
  readonly member: Owner;
  readonly epoch: number;
}

export interface OwnerRecord {
  readonly owner: string;
  readonly epoch: number;
}

/** How a message ends, and whether the call is a repetition. */
export interface Ending {
  readonly outcome: 'ack' | 'dead';
  readonly isRepetition: boolean;
}

export interface OrderedEntry {
  readonly base: number;
  readonly size: number;
}

export class OrderedMode {
  owner: Owner | '' = '';
  epoch = 0;
  readonly entries: OrderedEntry[] = [];
  /** How many entries were delivered. */
  delivered = 0;
  /** Entries that the consumer of all owners holds, by their first offsets. */
  readonly pending = new Set<number>();
  readonly settled = new Set<number>();
  /** Attempts of messages that are not done. */
  readonly tried = new Map<number, number>();
  readonly dead: number[] = [];
  readonly counts = { handled: 0, deadLettered: 0, fenced: 0 };
  /** Every tenure that anybody ever had. */
  readonly tenures: Tenure[] = [];

  get next(): number {
    const last = this.entries.at(-1);
    return last ? last.base + last.size : 0;
  }

  publish(size: number): void {
    this.entries.push({ base: this.next, size });
  }

  /** @param expected the record that the member saw */
  acquire(member: Owner, expected: OwnerRecord): number | OwnerRecord {
    const wanted = expected.epoch + 1;
    const [isOwn, isSeen] = [isTenure(this, member, wanted), isTenure(this, expected.owner, expected.epoch)];
    if (!isOwn && !isSeen) return { owner: this.owner, epoch: this.epoch };
    [this.owner, this.epoch] = [member, wanted];
    this.tenures.push({ member, epoch: wanted });
    return wanted;
  }

  release({ member, epoch }: Tenure): number {
    if (epoch !== this.epoch || (this.owner !== '' && this.owner !== member)) return 0;
    this.owner = '';
    return 1;
  }

  isOwner({ member, epoch }: Tenure): boolean {
    return this.owner === member && this.epoch === epoch;
  }

  /** @returns first offsets of the entries; null when the partition is another's */
  fetch(tenure: Tenure, { count, isNew }: { count: number; isNew: boolean }): number[] | null {
    if (!this.isOwner(tenure)) return null;
    if (!isNew) return [...this.pending].sort((a, b) => a - b).slice(0, count);
    const fresh = this.entries.slice(this.delivered, this.delivered + count).map(({ base }) => base);
    this.delivered += fresh.length;
    for (const base of fresh) this.pending.add(base);
    return fresh;
  }

  note(tenure: Tenure, offset: number, attempt: number): number {
    if (!this.isOwner(tenure) || this.settled.has(offset)) return 0;
    this.tried.set(offset, attempt);
    return 1;
  }

  /** @returns S, D or F, as `settle.lua` */
  settle(tenure: Tenure, offset: number, { outcome, isRepetition }: Ending): string {
    const wasSettled = this.settled.has(offset);
    if (this.isOwner(tenure)) this.tried.delete(offset);
    if (!this.isOwner(tenure) || !this.pending.has(this.entryOf(offset).base)) return this.refuse(isRepetition && wasSettled);
    this.settled.add(offset);
    this.letGoOf(this.entryOf(offset));
    if (wasSettled) return isRepetition ? 'S' : 'D';
    if (outcome === 'dead') this.dead.push(offset);
    this.counts[outcome === 'dead' ? 'deadLettered' : 'handled'] += 1;
    return 'S';
  }

  refuse(isDone: boolean): string {
    if (!isDone) this.counts.fenced += 1;
    return isDone ? 'S' : 'F';
  }

  letGoOf(entry: OrderedEntry): void {
    if (offsetsOf(entry).every((each) => this.settled.has(each))) this.pending.delete(entry.base);
  }

  entryOf(offset: number): OrderedEntry {
    return this.entries.find(({ base, size }) => offset >= base && offset < base + size)!;
  }
}

function isTenure({ owner, epoch }: OwnerRecord, member: string, under: number): boolean {
  return owner === member && epoch === under;
}

export function offsetsOf({ base, size }: OrderedEntry): number[] {
  return Array.from({ length: size }, (_, index) => base + index);
}
