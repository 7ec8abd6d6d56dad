/** What the scripts of shared mode should do, for one group in one partition: the same rules over plain data, without Redis. */

export type Kind = 'log' | 'retry';
export const MEMBERS = ['a', 'b', 'c'] as const;
export type Member = (typeof MEMBERS)[number];

/** So small that pages and entries of several messages are met within a few publishes. */
export const PAGE = 8;
export const PER_ENTRY = 3;

export interface Stored {
  /** -1 for what is no message of ours. */
  readonly offset: number;
  readonly attempt: number;
  readonly envelope: string;
}

export interface Entry {
  readonly kind: Kind;
  /** Its place among all entries that its stream ever had. */
  readonly ordinal: number;
  readonly messages: readonly Stored[];
  isThere: boolean;
}

interface Holding {
  owner: Member;
  count: number;
  isOver: boolean;
}

/** What a member was told when it was given an entry. */
export interface Token {
  readonly member: Member;
  readonly entry: Entry;
  readonly count: number;
}

export interface Item {
  readonly token: Token;
  readonly message: Stored;
  readonly outcome: 'ack' | 'retry' | 'dead' | 'release';
  readonly first: string;
  readonly second: string;
}

export interface Published {
  readonly key: string;
  readonly digest: string;
  readonly id: string;
  readonly envelope: string;
}

/** One of the two streams, with its Redis group. */
class Stream {
  readonly kind: Kind;
  readonly entries: Entry[] = [];
  pending = new Map<Entry, Holding>();
  /** Entries that were given out: the next to deliver comes after so many. */
  delivered = 0;

  constructor(kind: Kind) {
    this.kind = kind;
  }

  add(messages: readonly Stored[]): void {
    this.entries.push({ kind: this.kind, ordinal: this.entries.length, messages, isThere: true });
  }

  read(member: Member, count: number): Token[] {
    const fresh = this.entries.slice(this.delivered).filter(({ isThere }) => isThere).slice(0, count);
    for (const entry of fresh) this.pending.set(entry, { owner: member, count: 1, isOver: false });
    this.delivered = fresh.length > 0 ? fresh.at(-1)!.ordinal + 1 : this.delivered;
    return fresh.map((entry) => ({ member, entry, count: 1 }));
  }

  inOrder(): [Entry, Holding][] {
    return [...this.pending].sort(([one], [other]) => one.ordinal - other.ordinal);
  }

  holds({ member, entry, count }: Token): boolean {
    const holding = this.pending.get(entry);
    return holding?.owner === member && holding.count === count;
  }

  /** As XGROUP DESTROY and a new group at the beginning. */
  lose(): void {
    this.pending = new Map();
    this.delivered = 0;
  }
}

export class SharedMode {
  readonly streams = { log: new Stream('log'), retry: new Stream('retry') };
  /** Waiting retries, the first due first. */
  readonly due: { readonly message: Stored; isRipe: boolean }[] = [];
  readonly dead: [envelope: string, reason: string][] = [];
  readonly settled = new Set<number>();
  /** Offsets of what left the log for another attempt and is not done. */
  readonly open = new Set<number>();
  readonly stats = new Map<string, number>([['settled', 0]]);
  readonly members = new Map<Member, 'alive' | 'silent'>();
  readonly producers = new Map<string, { readonly sequence: number; readonly reply: string }>();
  next = 0;
  current = new Map<string, string>();
  previous = new Map<string, string>();
  /** Every token that was ever given, and those that their members believe in. */
  readonly tokens: Token[] = [];
  believed: Token[] = [];
  readonly #cursors = new Map<string, Entry | null>();

  publish(producer: string, sequence: number, messages: readonly Published[]): string {
    const last = this.producers.get(producer);
    if (last && last.sequence >= sequence) return last.sequence === sequence ? last.reply : 'STALE';
    const batch: Stored[] = [];
    const lines = messages.map((message) => this.#publishOne(message, batch));
    const reply = lines.every((line) => line.startsWith('+')) ? lines[0]! : lines.join('\n');
    this.#pack(batch);
    this.producers.set(producer, { sequence, reply });
    return reply;
  }

  #publishOne({ key, digest, id, envelope }: Published, batch: Stored[]): string {
    const known = key === '' ? undefined : (this.current.get(key) ?? this.previous.get(key));
    if (known) return (known.startsWith(`${digest} `) ? '=' : '!') + known.slice(known.indexOf(' ') + 1);
    const offset = this.next++;
    if (key !== '') this.current.set(key, `${digest} ${offset} ${id}`);
    batch.push({ offset, attempt: 1, envelope });
    return `+${offset}`;
  }

  #pack(batch: readonly Stored[]): void {
    let entry: Stored[] = [];
    for (const message of batch) {
      entry.push(message);
      if (entry.length < PER_ENTRY && (message.offset + 1) % PAGE !== 0) continue;
      this.streams.log.add(entry);
      entry = [];
    }
    if (entry.length > 0) this.streams.log.add(entry);
  }

  /** Windows of idempotency keys pass. */
  turn(windows: 1 | 2): void {
    this.previous = windows === 1 ? this.current : new Map<string, string>();
    this.current = new Map();
  }

  /** @param isLost Redis gave the entries, and the member never got the reply */
  read(member: Member, { kind, count, isLost }: { kind: Kind; count: number; isLost: boolean }): Token[] {
    const tokens = this.streams[kind].read(member, count);
    this.tokens.push(...tokens);
    if (!isLost) this.believed.push(...tokens);
    return tokens;
  }

  settle(items: readonly Item[], isRepetition: boolean): string {
    const replies = items.map((item) => this.#settleOne(item, isRepetition)).join('');
    items.forEach(({ token }, index) => {
      if (replies[index] === 'F' || !this.streams[token.entry.kind].holds(token)) this.#disbelieve(token);
    });
    return replies;
  }

  #settleOne(item: Item, isRepetition: boolean): string {
    const { token, message } = item;
    const hasBit = token.entry.kind === 'log' && message.offset >= 0;
    if (!this.streams[token.entry.kind].holds(token)) {
      if (isRepetition && (hasBit ? this.settled.has(message.offset) : !token.entry.isThere)) return 'S';
      this.#count('fenced');
      return 'F';
    }
    const isOpen = !hasBit || !this.settled.has(message.offset);
    if (isOpen) this.#carryOut(item);
    if (hasBit) this.settled.add(message.offset);
    this.#finish(token.entry);
    return isOpen || isRepetition ? 'S' : 'D';
  }

  #carryOut(item: Item): void {
    const { outcome, message, first, second } = item;
    this.#track(item);
    if (outcome === 'ack') this.#count('handled');
    if (outcome === 'ack' && first !== 'handled') this.#count(first);
    if (outcome === 'retry') this.#count('retried');
    if (outcome === 'retry') this.#schedule({ ...message, attempt: message.attempt + 1 }, first === '0');
    if (outcome === 'dead') this.#count('deadLettered');
    if (outcome === 'dead') this.dead.push([first, second]);
    if (outcome === 'release') this.streams.retry.add([message]);
  }

  #track({ token, outcome, message: { offset } }: Item): void {
    const ends = outcome === 'ack' || outcome === 'dead';
    const isFirst = offset >= 0 && token.entry.kind === 'log';
    if (isFirst && !ends) this.open.add(offset);
    if (ends && (isFirst || this.open.delete(offset))) this.#count('settled');
  }

  /** What waits already, as a foreign entry that is given again may, waits once. */
  #schedule(message: Stored, isRipe: boolean): void {
    const isSame = (waiting: Stored): boolean => waiting.envelope === message.envelope && waiting.attempt === message.attempt;
    const index = this.due.findIndex((waiting) => isSame(waiting.message));
    if (index >= 0) this.due.splice(index, 1);
    this.due.push({ message, isRipe });
  }

  #finish(entry: Entry): void {
    if (entry.kind === 'log' && entry.messages.some(({ offset }) => offset >= 0 && !this.settled.has(offset))) return;
    this.streams[entry.kind].pending.delete(entry);
    if (entry.kind === 'retry') entry.isThere = false;
  }

  /** @returns a letter for each entry that the member believes to hold, and whatever stale token it still has */
  beat(member: Member, tokens: readonly Token[]): string {
    this.members.set(member, 'alive');
    return tokens.map((token) => this.#renew(token)).join('');
  }

  #renew(token: Token): string {
    const { pending } = this.streams[token.entry.kind];
    if (!this.streams[token.entry.kind].holds(token)) {
      this.#disbelieve(token);
      return 'L';
    }
    if (token.entry.isThere) {
      pending.get(token.entry)!.isOver = false;
      return 'H';
    }
    // XCLAIM lets go of an entry that was deleted.
    pending.delete(token.entry);
    this.#disbelieve(token);
    return 'L';
  }

  silence(member: Member): void {
    this.members.set(member, 'silent');
  }

  /** @returns the entry to go on after or null, and what was taken over */
  reclaim(member: Member, { kind, look, take }: { kind: Kind; look: number; take: number }): [Entry | null, Token[]] {
    const after = this.cursor(member, kind)?.ordinal ?? -1;
    const stream = this.streams[kind];
    const page = stream.inOrder().filter(([{ ordinal }]) => ordinal > after).slice(0, look);
    const taken: Token[] = [];
    // What is no entry of ours counts as a message.
    const isEnough = (): boolean => sum(taken.map(({ entry }) => Math.max(1, entry.messages.length))) >= take;
    let next: Entry | null = null;
    for (const [entry, holding] of page) {
      if (isEnough()) break;
      next = entry;
      if (!this.#isClaimable(member, entry, holding)) continue;
      if (entry.isThere) taken.push(this.#take(member, entry, holding));
      else stream.pending.delete(entry);
    }
    if (page.length < look && !isEnough()) next = null;
    this.#cursors.set(`${member} ${kind}`, next);
    if (taken.length > 0) this.#count('redelivered', taken.length);
    return [next, taken];
  }

  cursor(member: Member, kind: Kind): Entry | null {
    return this.#cursors.get(`${member} ${kind}`) ?? null;
  }

  #isClaimable(member: Member, entry: Entry, { owner, isOver }: Holding): boolean {
    if (owner === member) return !this.believed.some((token) => token.member === member && token.entry === entry);
    return isOver || this.members.get(owner) === 'silent';
  }

  #take(member: Member, entry: Entry, holding: Holding): Token {
    Object.assign(holding, { owner: member, count: holding.count + 1, isOver: false });
    const token = { member, entry, count: holding.count };
    this.tokens.push(token);
    this.believed.push(token);
    return token;
  }

  promote(limit: number): [number, boolean] {
    const ripe = this.due.filter(({ isRipe }) => isRipe).slice(0, limit);
    for (const waiting of ripe) {
      this.streams.retry.add([waiting.message]);
      this.due.splice(this.due.indexOf(waiting), 1);
    }
    return [ripe.length, this.due.length > 0];
  }

  forget(leaving: Member | null): number {
    const silent = MEMBERS.filter((member) => this.members.get(member) === 'silent');
    const idle = (leaving ? [leaving] : silent).filter((member) => !this.#holdsAny(member));
    for (const member of idle) this.members.delete(member);
    return idle.length;
  }

  #holdsAny(member: Member): boolean {
    return Object.values(this.streams).some(({ pending }) => [...pending.values()].some(({ owner }) => owner === member));
  }

  /** @returns how many messages are found to be gone for good, -1 while that cannot be told */
  audit(): number {
    const { pending, entries } = this.streams.log;
    const held = [...pending.keys()];
    if (held.some(({ isThere }) => !isThere)) return -1;
    const [toCome = this.next] = offsetsOf(entries.slice(this.streams.log.delivered).filter(({ isThere }) => isThere));
    const lost = toCome - this.open.size - offsetsOf(held).length - this.stats.get('settled')!;
    if (lost <= 0) return 0;
    this.#count('settled', lost);
    this.#count('lost', lost);
    return lost;
  }

  get lag(): number {
    return this.next - (this.stats.get('settled') ?? 0);
  }

  #disbelieve({ member, entry, count }: Token): void {
    this.believed = this.believed.filter((token) => token.member !== member || token.entry !== entry || token.count !== count);
  }

  #count(name: string, by = 1): void {
    this.stats.set(name, (this.stats.get(name) ?? 0) + by);
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function offsetsOf(entries: readonly Entry[]): number[] {
  return entries.flatMap(({ messages }) => messages.map(({ offset }) => offset)).filter((offset) => offset >= 0);
}
