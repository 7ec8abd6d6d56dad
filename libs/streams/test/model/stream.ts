/** One of the two streams of a group, with the entries that its members hold, as plain data. */

export type Kind = 'log' | 'retry';
export const MEMBERS = ['a', 'b', 'c'] as const;
export type Member = (typeof MEMBERS)[number];

export interface Stored {
  /** -1 for a foreign entry. */
  readonly offset: number;
  readonly attempt: number;
  /** How many times its process vanished. */
  readonly crashes: number;
  readonly envelope: string;
}

export interface Entry {
  readonly kind: Kind;
  /** Its number among all entries that its stream ever had. */
  readonly ordinal: number;
  readonly messages: readonly Stored[];
  /** Number of messages according to its id, which may be that of a foreign entry. */
  readonly sizeInId: number;
  isThere: boolean;
}

/** An entry as it was delivered to a member. */
export interface Token {
  readonly member: Member;
  readonly entry: Entry;
}

export class Stream {
  readonly kind: Kind;
  readonly entries: Entry[] = [];
  pending = new Map<Entry, Member>();
  /** The members that Redis knows of. */
  consumers = new Set<Member>();
  /** Number of entries that were delivered. */
  delivered = 0;

  constructor(kind: Kind) {
    this.kind = kind;
  }

  add(messages: readonly Stored[], sizeInId = messages.length): void {
    this.entries.push({ kind: this.kind, ordinal: this.entries.length, messages, sizeInId, isThere: true });
  }

  read(member: Member, count: number): Token[] {
    const fresh = this.entries.slice(this.delivered).filter(({ isThere }) => isThere).slice(0, count);
    for (const entry of fresh) this.pending.set(entry, member);
    if (fresh.length > 0) this.consumers.add(member);
    this.delivered = fresh.length > 0 ? fresh.at(-1)!.ordinal + 1 : this.delivered;
    return fresh.map((entry) => ({ member, entry }));
  }

  inOrder(): [Entry, Member][] {
    return [...this.pending].sort(([one], [other]) => one.ordinal - other.ordinal);
  }

  /** Entries that a member holds, the oldest first. */
  of(member: Member): Entry[] {
    return this.inOrder().flatMap(([entry, owner]) => (owner === member ? [entry] : []));
  }

  holds({ member, entry }: Token): boolean {
    return this.pending.get(entry) === member;
  }

  /** No member holds the entry any more; an entry that waited for another attempt is removed. */
  letGo(entry: Entry): void {
    this.pending.delete(entry);
    if (this.kind === 'retry') entry.isThere = false;
  }

  /** As XGROUP DESTROY and a new group at the beginning. */
  lose(): void {
    this.pending = new Map();
    this.consumers = new Set();
    this.delivered = 0;
  }
}
