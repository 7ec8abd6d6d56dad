import type { Entry, SharedMode, Stored } from './shared-mode.js';

/** All that can be seen of a group in one partition, from the model and from Redis alike. */
export interface View {
  readonly next: number;
  readonly lag: number;
  /** The envelopes of each entry that is there, by its ordinal. */
  readonly log: readonly [ordinal: number, base: number, envelopes: readonly string[]][];
  readonly retryLog: readonly [ordinal: number, body: string][];
  readonly pending: { readonly log: readonly Pending[]; readonly retry: readonly Pending[] };
  readonly due: readonly [body: string, isRipe: boolean][];
  readonly dead: readonly [envelope: string, reason: string][];
  readonly settled: readonly number[];
  readonly open: readonly number[];
  readonly stats: Readonly<Record<string, number>>;
  readonly members: Readonly<Record<string, 'alive' | 'silent'>>;
  readonly keys: { readonly current: Readonly<Record<string, string>>; readonly previous: Readonly<Record<string, string>> };
}

export type Pending = readonly [ordinal: number, owner: string, count: number];

/** What a message looks like on its way through the retry queue. */
export function bodyOf({ offset, attempt, envelope }: Stored): string {
  return JSON.stringify([offset, attempt, 0, null, envelope]);
}

export function viewOf(model: SharedMode): View {
  const { log, retry } = model.streams;
  const pendingIn = (stream: typeof log): Pending[] =>
    stream.inOrder().map(([{ ordinal }, { owner, count }]) => [ordinal, owner, count]);
  return {
    next: model.next,
    lag: model.lag,
    log: there(log.entries).map(({ ordinal, messages }) => [ordinal, messages[0]!.offset, envelopesOf(messages)]),
    retryLog: there(retry.entries).map(({ ordinal, messages }) => [ordinal, bodyOf(messages[0]!)]),
    pending: { log: pendingIn(log), retry: pendingIn(retry) },
    due: model.due.map(({ message, isRipe }) => [bodyOf(message), isRipe]),
    dead: model.dead,
    settled: [...model.settled].sort((a, b) => a - b),
    open: [...model.open].sort((a, b) => a - b),
    stats: Object.fromEntries(model.stats),
    members: Object.fromEntries(model.members),
    keys: { current: Object.fromEntries(model.current), previous: Object.fromEntries(model.previous) },
  };
}

function envelopesOf(messages: readonly Stored[]): string[] {
  return messages.map(({ envelope }) => envelope);
}

function there(entries: readonly Entry[]): readonly Entry[] {
  return entries.filter(({ isThere }) => isThere);
}
