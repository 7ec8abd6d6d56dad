import { type Begun, type LedgerCounters, MillraceError, quote, spread } from '@millrace/core';
import type { EntryPlace } from './ledger-shard.js';
import type { TickItem } from './tick-batches.js';

export type Counting = { -readonly [Name in keyof LedgerCounters]: LedgerCounters[Name] };

/** Who waits for the answer to a call. */
export interface Asker<Answer> {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

/** An entry that is in progress elsewhere. */
export interface HeldEntry {
  readonly token: string;
  readonly holder: string;
  /** How long it has been in progress, by Redis's clock. */
  readonly ageMs: number;
}

/** The parts of a ledger that a begin needs. */
export interface BeginParts {
  readonly counters: Counting;
  /** Whether a holder is known to have left or died. */
  readonly isGone: (holder: string) => boolean;
  /** Sends a begin. */
  readonly send: (call: BeginCall) => void;
  /** It is not known whether a begin took effect. */
  readonly doubtful: (call: BeginCall, error: Error) => void;
  /** Says that there is no room for an entry. */
  readonly full: () => Error;
}

const FIRST_RETRY_MS = 20;
const LAST_RETRY_MS = 1_000;
/** Entries that die faster than they are taken over would keep a begin going for ever. */
const MOST_TAKEOVERS = 3;

/** One begin, until it is answered: it may be sent again to take the entry over. */
export class BeginCall implements TickItem {
  readonly place: EntryPlace;
  readonly token: string;
  args: readonly string[];
  readonly #parts: BeginParts;
  readonly #asker: Asker<Begun>;
  readonly #holder: string;
  #takeovers = 0;

  constructor(parts: BeginParts, { place, token, holder }: NewBegin, asker: Asker<Begun>) {
    this.place = place;
    this.token = token;
    this.args = [token, holder, ''];
    this.#parts = parts;
    this.#asker = asker;
    this.#holder = holder;
  }

  answered(reply: string): void {
    const { counters } = this.#parts;
    const sign = reply.charAt(0);
    if (sign === '+' || sign === '^') {
      counters.begun += 1;
      if (sign === '^') counters.takenOver += 1;
      this.#asker.resolve({ kind: 'mine', token: this.token });
    } else if (sign === 'd' || sign === 't') {
      counters.repeated += 1;
      this.#asker.resolve(sign === 'd' ? { kind: 'done', result: reply.slice(1) } : { kind: 'done', result: '', tooLarge: true });
    } else if (sign === 'h') this.#held(heldEntryOf(reply));
    else if (sign === 'f') this.#refused();
    else this.failed(entryFailed(this.place, reply));
  }

  failed(error: Error): void {
    this.#parts.counters.failed += 1;
    this.#parts.doubtful(this, error);
    this.#asker.reject(error);
  }

  #refused(): void {
    this.#parts.counters.full += 1;
    this.#asker.reject(this.#parts.full());
  }

  #held({ token, holder, ageMs }: HeldEntry): void {
    if (this.#takeovers < MOST_TAKEOVERS && this.#parts.isGone(holder)) {
      this.#takeovers += 1;
      this.args = [this.token, this.#holder, token];
      this.#parts.send(this);
      return;
    }
    this.#parts.counters.busy += 1;
    this.#asker.resolve({ kind: 'busy', retryMs: retryMsAfter(ageMs) });
  }
}

export interface NewBegin {
  readonly place: EntryPlace;
  readonly token: string;
  readonly holder: string;
}

/** A completion or a release, and how its answers are counted. */
export interface NewTokenCall extends Pick<TickItem, 'place' | 'args'> {
  readonly done: 'completed' | 'released';
  readonly refused: 'fenced' | null;
}

/** One completion or release, until it is answered. */
export class TokenCall implements TickItem {
  readonly place: EntryPlace;
  readonly args: readonly string[];
  readonly #counters: Counting;
  readonly #call: NewTokenCall;
  readonly #asker: Asker<boolean>;

  constructor(counters: Counting, call: NewTokenCall, asker: Asker<boolean>) {
    this.place = call.place;
    this.args = call.args;
    this.#counters = counters;
    this.#call = call;
    this.#asker = asker;
  }

  answered(reply: string): void {
    const { done, refused } = this.#call;
    if (reply === '+') this.#counters[done] += 1;
    else if (reply !== '-') return this.failed(entryFailed(this.place, reply));
    else if (refused) this.#counters[refused] += 1;
    this.#asker.resolve(reply === '+');
  }

  failed(error: Error): void {
    this.#counters.failed += 1;
    this.#asker.reject(error);
  }
}

/** Work that has gone on for long will hardly end in a moment, so who waits for it asks ever less often. */
function retryMsAfter(ageMs: number): number {
  return Math.ceil(spread(Math.min(Math.max(ageMs / 2, FIRST_RETRY_MS), LAST_RETRY_MS)));
}

function heldEntryOf(reply: string): HeldEntry {
  const [age = '', token = '', ...holder] = reply.slice(1).split(' ');
  return { token, holder: holder.join(' '), ageMs: Number(age) || 0 };
}

function entryFailed({ shard, id }: EntryPlace, reply: string): MillraceError {
  const why = `${shard.keys.join(', ')} failed: ${quote(reply.slice(1))}`;
  return new MillraceError(
    'REDIS_FAILED',
    `Entry ${quote(id)} of a ledger in ${why}. Nothing was recorded; remove the key that is none of Millrace.`,
  );
}
