import type { SharedMode } from './shared-mode.js';
import type { Entry, Stored } from './stream.js';

/** The visible state of a group in one partition, of the model and of Redis alike. */
export interface View {
  readonly next: number;
  readonly lag: number;
  /** The envelopes of each entry that is there, by its ordinal. */
  readonly log: readonly [ordinal: number, base: number, envelopes: readonly string[]][];
  readonly again: readonly [ordinal: number, body: Body][];
  readonly pending: { readonly log: readonly Pending[]; readonly retry: readonly Pending[] };
  readonly consumers: { readonly log: readonly string[]; readonly retry: readonly string[] };
  readonly begun: readonly number[];
  readonly due: readonly [what: Body | string, isRipe: boolean][];
  readonly dead: readonly [envelope: string, reason: string][];
  readonly settled: readonly number[];
  readonly open: readonly (readonly [offset: number, attempt: number, crashes: number])[];
  readonly stats: Readonly<Record<string, number>>;
  readonly keys: { readonly current: Readonly<Record<string, string>>; readonly previous: Readonly<Record<string, string>> };
}

export type Pending = readonly [ordinal: number, owner: string];

/** A message that the group works on. */
export type Body = readonly [offset: number, attempt: number, crashes: number, firstFailedAt: null, envelope: string];

export function bodyOf({ offset, attempt, crashes, envelope }: Stored): Body {
  return [offset, attempt, crashes, null, envelope];
}

/** The member of `due` that stands for a message. */
export function nameOf(offset: number): string {
  return String(offset).padStart(16, '0');
}

export function viewOf(model: SharedMode): View {
  const { log, retry } = model.streams;
  const pendingIn = (stream: typeof log): Pending[] => stream.inOrder().map(([{ ordinal }, owner]) => [ordinal, owner]);
  return {
    next: model.next,
    lag: model.lag,
    log: there(log.entries).map(({ ordinal, messages }) => [ordinal, messages[0]!.offset, envelopesOf(messages)]),
    again: there(retry.entries).map(({ ordinal, messages }) => [ordinal, bodyOf(messages[0]!)]),
    pending: { log: pendingIn(log), retry: pendingIn(retry) },
    consumers: { log: [...log.consumers].sort(), retry: [...retry.consumers].sort() },
    begun: [...model.begun].map(({ ordinal }) => ordinal).sort((a, b) => a - b),
    due: model.waiting.due.map(({ message, isRipe, isCopy }) => [isCopy ? bodyOf(message) : nameOf(message.offset), isRipe]),
    dead: model.dead,
    settled: [...model.settled].sort((a, b) => a - b),
    open: recordsOf(model).sort(([one], [other]) => one - other),
    stats: Object.fromEntries(model.stats),
    keys: { current: Object.fromEntries(model.current), previous: Object.fromEntries(model.previous) },
  };
}

function recordsOf({ waiting: { open } }: SharedMode): [offset: number, attempt: number, crashes: number][] {
  return [...open].map(([offset, { attempt, crashes }]) => [offset, attempt, crashes]);
}

function envelopesOf(messages: readonly Stored[]): string[] {
  return messages.map(({ envelope }) => envelope);
}

function there(entries: readonly Entry[]): readonly Entry[] {
  return entries.filter(({ isThere }) => isThere);
}
