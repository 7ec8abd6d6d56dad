import type { GroupStream } from '../consume/group-partition.js';

/**
 * A ring in the channel of a partition, as a text of words and spaces:
 *
 * - `log <id>`: the log has new messages; no two rings have the same id. When they were handed over to fetches that owners have
 *   left open, for each of their groups follows `<group> <epoch> <number of the fetch> <entries handed over so far>`; then for
 *   each entry the sign U+001E, its id and its text
 * - `again <group> <id>`: the group's stream of retries has new messages
 * - `taken <group> <log | again> <id>`: a member has read all messages that were there at the ring with this id
 * - `due <group> <ms>`: a message of the group waits for another attempt, which is due in so many milliseconds
 * - `delayed`: a message was stored that is due later
 * - `control <group>`: an operator wants something of the group, a member has come or gone, or the partition's owner has changed
 */
export type Ring =
  | { readonly kind: 'log'; readonly id: string; readonly handedOver?: HandedOver }
  | { readonly kind: 'again'; readonly group: string; readonly id: string }
  | { readonly kind: 'taken'; readonly group: string; readonly stream: GroupStream['kind']; readonly id: string }
  | { readonly kind: 'due'; readonly group: string; readonly inMs: number }
  | { readonly kind: 'delayed' }
  | { readonly kind: 'control'; readonly group: string };

/** Entries of a log that were handed over to a fetch that the owner of the partition had left open. */
export interface HandedOver {
  readonly epoch: number;
  /** The number of the fetch. */
  readonly fetch: number;
  /** How many entries were handed over to that fetch, with these. */
  readonly count: number;
  readonly entries: readonly { readonly id: string; readonly text: string }[];
}

const SEPARATOR = '\u001e';

/**
 * Reads a ring; null for any other text.
 *
 * @param ownGroup what was handed over to other groups is left out
 */
export function ringOf(text: string, ownGroup: string): Ring | null {
  if (text.startsWith('log ')) return logRingOf(text, ownGroup);
  const [kind, first = '', second = '', third = ''] = text.split(' ');
  if (kind === 'again') return { kind, group: first, id: second };
  if (kind === 'taken') return { kind, group: first, stream: second === 'log' ? 'log' : 'again', id: third };
  if (kind === 'due') return { kind, group: first, inMs: Number(second) };
  if (kind === 'delayed') return { kind };
  return kind === 'control' ? { kind, group: first } : null;
}

function logRingOf(ring: string, ownGroup: string): Ring {
  const end = ring.indexOf(SEPARATOR);
  const [kind, id = '', ...takers] = (end < 0 ? ring : ring.slice(0, end)).split(' ') as ['log', ...string[]];
  for (let at = 0; at < takers.length; at += 4) {
    if (takers[at] !== ownGroup) continue;
    const [epoch = NaN, fetch = NaN, count = NaN] = takers.slice(at + 1, at + 4).map(Number);
    return { kind, id, handedOver: { epoch, fetch, count, entries: entriesIn(ring.slice(end + 1)) } };
  }
  return { kind, id };
}

function entriesIn(texts: string): HandedOver['entries'] {
  return texts.split(SEPARATOR).map((text) => {
    const space = text.indexOf(' ');
    return { id: text.slice(0, space), text: text.slice(space + 1) };
  });
}

export function takenText({ kind, partition }: GroupStream, id: string): string {
  return `taken ${partition.group} ${kind} ${id}`;
}

export function controlText(group: string): string {
  return `control ${group}`;
}
