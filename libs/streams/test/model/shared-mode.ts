import { MOST_IN_FLIGHT } from '../../src/publish/producer.js';
import { type Entry, type Kind, type Member, type Stored, Stream, type Token } from './stream.js';
import { WaitingMessages, type When } from './waiting.js';

/** A model of the scripts of shared mode, for one group in one partition: the same rules over plain data, without Redis. */

/** Small sizes, so that a few publishes reach several pages, and entries of several messages. */
export const PAGE = 5;
export const PER_ENTRY = 3;

/** The id of a foreign entry. */
export interface ForeignId {
  readonly ahead: number;
  readonly number: string;
}

/** Messages of one entry that follow each other, with one outcome. */
export interface Run {
  readonly token: Token;
  readonly messages: readonly Stored[];
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

export type Fate = 'dead' | 'left' | 'living';

/** Retries moved, whether the next is due, waits or is not there, and entries of the log and of `again` by member. */
export type Tended = readonly [moved: number, next: 'due' | 'later' | 'none', ...held: (string | number)[]];

export class SharedMode {
  readonly streams = { log: new Stream('log'), retry: new Stream('retry') };
  readonly waiting = new WaitingMessages(this.streams.log, this.streams.retry);
  readonly dead: [envelope: string, reason: string][] = [];
  readonly settled = new Set<number>();
  /** Entries of `again` that a member has begun to handle. */
  readonly begun = new Set<Entry>();
  readonly stats = new Map<string, number>([['settled', 0]]);
  /** The replies to the batches of each producer, from number 1 on. */
  readonly producers = new Map<string, string[]>();
  next = 0;
  current = new Map<string, string>();
  previous = new Map<string, string>();
  /** Every token that was ever given out, and the tokens that members take for valid. */
  readonly tokens: Token[] = [];
  believed: Token[] = [];

  publish(producer: string, sequence: number, messages: readonly Published[]): string {
    const replies = this.producers.get(producer) ?? [];
    if (sequence > replies.length + 1) return `GAP ${replies.length}`;
    if (sequence <= replies.length) return 'STALE';
    const batch: Stored[] = [];
    const lines = messages.map((message) => this.#publishOne(message, batch));
    const reply = lines.every((line) => line.startsWith('+')) ? lines[0]! : lines.join('\n');
    this.#pack(batch);
    this.producers.set(producer, [...replies, reply]);
    return reply;
  }

  close(producer: string, first: number, last: number): string | string[] {
    const replies = this.producers.get(producer) ?? [];
    if (first > replies.length + 1) return `GAP ${replies.length}`;
    if (first <= replies.length - MOST_IN_FLIGHT) return 'STALE';
    const all = [...replies, ...Array.from({ length: Math.max(0, last - replies.length) }, () => '-')];
    this.producers.set(producer, all);
    return all.slice(first - 1, last);
  }

  publishForeign(envelope: string, { number }: ForeignId): void {
    const sizeInId = Number.isSafeInteger(Number(number)) ? (Number(number) % 16) + 1 : 0;
    this.streams.log.add([{ offset: -1, attempt: 1, crashes: 0, envelope }], sizeInId);
  }

  #publishOne({ key, digest, id, envelope }: Published, batch: Stored[]): string {
    const known = key === '' ? undefined : (this.current.get(key) ?? this.previous.get(key));
    const [place, stored, firstId] = known?.split(' ') ?? [];
    if (known) return `${stored === digest ? '=' : '!'}${place} ${firstId}`;
    const offset = this.next++;
    if (key !== '') this.current.set(key, `${offset} ${digest} ${id}`);
    batch.push({ offset, attempt: 1, crashes: 0, envelope });
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

  /** @param isLost Redis delivered the entries, but the reply was lost */
  read(member: Member, { kind, count, isLost }: { kind: Kind; count: number; isLost: boolean }): Token[] {
    const tokens = this.streams[kind].read(member, count);
    this.tokens.push(...tokens);
    if (!isLost) this.believed.push(...tokens);
    return tokens;
  }

  settle(runs: readonly Run[], isRepetition: boolean): string {
    const replies = runs.map((run) => this.#settleRun(run, isRepetition)).join('');
    // Until all runs are settled the member holds the whole of their entries.
    for (const { token } of runs) if (this.streams[token.entry.kind].holds(token)) this.#finish(token.entry);
    runs.forEach(({ token }, index) => {
      if (replies[index] === 'F' || !this.streams[token.entry.kind].holds(token)) this.#disbelieve(token);
    });
    return replies;
  }

  #settleRun(run: Run, isRepetition: boolean): string {
    const { token, messages } = run;
    if (!this.streams[token.entry.kind].holds(token)) {
      const isFinal = run.outcome === 'ack' || run.outcome === 'dead';
      const waits = ({ offset }: Stored): boolean => isFinal && this.waiting.open.has(offset);
      if (isRepetition && messages.every((message) => this.#isDone(token, message) && !waits(message))) return 'S';
      this.#count('fenced', messages.length);
      return 'F';
    }
    const open = messages.filter((message) => !this.#hasBit(token, message) || !this.settled.has(message.offset));
    for (const message of open) this.#settleOne(run, message);
    if (messages.some((message) => !this.#hasBit(token, message))) this.#letGo(token.entry);
    return open.length === messages.length || isRepetition ? 'S' : 'D';
  }

  #hasBit({ entry }: Token, { offset }: Stored): boolean {
    return entry.kind === 'log' && offset >= 0;
  }

  #isDone(token: Token, message: Stored): boolean {
    if (this.#hasBit(token, message)) return this.settled.has(message.offset);
    // A foreign entry stays in the log when no member holds it any more.
    return token.entry.kind === 'log' ? !this.streams.log.pending.has(token.entry) : !token.entry.isThere;
  }

  #settleOne({ token, outcome, first, second }: Run, message: Stored): void {
    if (this.#hasBit(token, message)) this.settled.add(message.offset);
    switch (outcome) {
      case 'ack':
        this.#done(token, message);
        this.#count('handled');
        if (first !== 'handled') this.#count(first);
        return;
      case 'dead':
        this.#done(token, message);
        this.#count('deadLettered');
        this.dead.push([first, second]);
        return;
      case 'retry':
        this.#count('retried');
        this.#park(token, { ...message, attempt: message.attempt + 1 }, first === '0' ? 'due' : 'later');
        return;
      case 'release':
        this.#park(token, message, 'now');
    }
  }

  #done({ entry }: Token, { offset }: Stored): void {
    if (offset >= 0 && (entry.kind === 'log' || this.waiting.forget(offset))) this.#count('settled');
  }

  /** A message without a record and a copy is done elsewhere, or lost. */
  #park({ entry }: Token, message: Stored, when: When): void {
    const isOurs = message.offset >= 0;
    if (isOurs && (entry.kind === 'log' || this.waiting.open.has(message.offset))) {
      const hasText = (entry.kind === 'retry' && entry.isThere) || this.waiting.textOf(message.offset) !== null;
      this.waiting.add(message, when === 'now' && !hasText ? 'due' : when);
    } else if (!isOurs || entry.isThere) this.waiting.addCopy(message, when);
  }

  #finish(entry: Entry): void {
    if (entry.messages.every(({ offset }) => this.settled.has(offset))) this.#letGo(entry);
  }

  #letGo(entry: Entry): void {
    this.streams[entry.kind].letGo(entry);
    this.begun.delete(entry);
  }

  /** @returns 1 when the member holds it, and may handle it */
  begin(token: Token): number {
    if (!this.streams.retry.holds(token)) return 0;
    this.begun.add(token.entry);
    return 1;
  }

  /** A living member keeps the entries whose tokens it takes for valid. @returns how many messages were put back */
  putBack(owner: Member, { kind, fate }: { kind: Kind; fate: Fate }): number {
    const stream = this.streams[kind];
    const isKept = (entry: Entry): boolean => fate === 'living' && this.believed.some((token) => token.member === owner && token.entry === entry);
    const count = sum(stream.of(owner).filter((entry) => !isKept(entry)).map((entry) => this.#putBack(entry, fate)));
    if (fate === 'dead' && count > 0) this.#count('redelivered', count);
    if (fate !== 'living') stream.consumers.delete(owner);
    return count;
  }

  #putBack(entry: Entry, fate: Fate): number {
    const open = entry.isThere ? entry.messages.filter(({ offset }) => entry.kind === 'retry' || !this.settled.has(offset)) : [];
    const counts = (crashes: number): boolean => fate === 'dead' && (crashes === 0 || this.begun.has(entry));
    for (const message of open) {
      const crashes = message.crashes + (counts(message.crashes) ? 1 : 0);
      const record = this.waiting.open.get(message.offset);
      const isOfLog = entry.kind === 'log' && message.offset >= 0;
      if (isOfLog) this.settled.add(message.offset);
      if (isOfLog || record) this.waiting.add({ ...message, attempt: record?.attempt ?? message.attempt, crashes }, 'now');
      else this.waiting.addCopy({ ...message, crashes }, 'now');
    }
    this.#letGo(entry);
    return open.length;
  }

  tend(limit: number): Tended {
    const moved = this.waiting.move(limit);
    return [moved, this.waiting.next, ...this.#held()];
  }

  #held(): (string | number)[] {
    const { log, retry } = this.streams;
    const names = new Set([...[...log.consumers].sort(), ...[...retry.consumers].sort()]);
    return [...names].flatMap((name) => [name, log.of(name).length, retry.of(name).length]);
  }

  /** @returns 1 when the member held no entry, and is removed */
  leave(member: Member): number {
    const streams = Object.values(this.streams);
    if (streams.some((stream) => stream.of(member).length > 0)) return 0;
    for (const { consumers } of streams) consumers.delete(member);
    return 1;
  }

  /** @returns how many messages are lost; held entries never are */
  audit(): number {
    const { pending, entries } = this.streams.log;
    this.waiting.findMissing();
    const held = sum([...pending.keys()].map(({ sizeInId }) => sizeInId));
    const [toCome = this.next] = offsetsOf(entries.slice(this.streams.log.delivered).filter(({ isThere }) => isThere));
    const found = toCome - this.waiting.open.size - held - this.stats.get('settled')!;
    if (found <= 0) return 0;
    const lost = Math.max(0, found - this.waiting.record());
    this.#count('settled', lost);
    this.#count('lost', lost);
    return lost;
  }

  get lag(): number {
    return this.next - (this.stats.get('settled') ?? 0);
  }

  #disbelieve({ member, entry }: Token): void {
    this.believed = this.believed.filter((token) => token.member !== member || token.entry !== entry);
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
