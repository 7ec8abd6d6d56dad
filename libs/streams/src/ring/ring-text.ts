import type { GroupStream } from '../consume/group-partition.js';
import { spanOfId } from '../log/entry-id.js';

/**
 * A ring in the channel of a partition, as a text of words and spaces:
 *
 * - `log <id>`: the log has new messages; no two rings have the same id
 * - `again <group> <id>`: the group's stream of retries has new messages
 * - `taken <group> <log | again> <id>`: a member has read all messages that were there at the ring with this id
 * - `due <group> <ms>`: a message of the group waits for another attempt, which is due in so many milliseconds
 * - `delayed`: a message was stored that is due later
 * - `control <group>`: an operator wants something of the group, a member has come or gone, or the partition's owner has changed
 *
 * In the channel of a member of an ordered group:
 *
 * - `given <id> <epoch> <number of a fetch>`, then for each entry the sign U+001E, its id and its text: they were handed over to
 *   the fetch that the member has left open; the ring with this id says nothing more
 */
export type Ring =
  | { readonly kind: 'log'; readonly id: string }
  | { readonly kind: 'again'; readonly group: string; readonly id: string }
  | { readonly kind: 'taken'; readonly group: string; readonly stream: GroupStream['kind']; readonly id: string }
  | { readonly kind: 'due'; readonly group: string; readonly inMs: number }
  | { readonly kind: 'delayed' }
  | { readonly kind: 'control'; readonly group: string }
  | { readonly kind: 'given'; readonly id: string; readonly given: HandedOver };

/** Entries of a log that were handed over to a fetch that the owner of the partition had left open. */
export interface HandedOver {
  readonly epoch: number;
  /** The number of the fetch. */
  readonly fetch: number;
  readonly entries: readonly { readonly id: string; readonly text: string }[];
}

const SEPARATOR = '\u001e';

/** The offset behind the last of the messages that were handed over; NaN when there is none. */
export function endOf({ entries }: HandedOver): number {
  const span = entries.length > 0 ? spanOfId(entries.at(-1)!.id) : null;
  return span ? span.base + span.size : NaN;
}

/** The channel in which a member is given messages of a partition, `include/open-fetches.lua`. */
export function memberChannel(ring: string, member: string): string {
  return `${ring}:${member}`;
}

/** Reads a ring; null for any other text. */
export function ringOf(text: string): Ring | null {
  if (text.startsWith('given ')) return givenRingOf(text);
  const [kind, first = '', second = '', third = ''] = text.split(' ');
  if (kind === 'log') return { kind, id: first };
  if (kind === 'again') return { kind, group: first, id: second };
  if (kind === 'taken') return { kind, group: first, stream: second === 'log' ? 'log' : 'again', id: third };
  if (kind === 'due') return { kind, group: first, inMs: Number(second) };
  if (kind === 'delayed') return { kind };
  return kind === 'control' ? { kind, group: first } : null;
}

function givenRingOf(text: string): Ring {
  const [head = '', ...texts] = text.split(SEPARATOR);
  const [kind, id = '', ...numbers] = head.split(' ') as ['given', ...string[]];
  const [epoch = NaN, fetch = NaN] = numbers.map(Number);
  return { kind, id, given: { epoch, fetch, entries: texts.map(entryIn) } };
}

function entryIn(text: string): HandedOver['entries'][number] {
  const space = text.indexOf(' ');
  return { id: text.slice(0, space), text: text.slice(space + 1) };
}

export function takenText({ kind, partition }: GroupStream, id: string): string {
  return `taken ${partition.group} ${kind} ${id}`;
}

export function controlText(group: string): string {
  return `control ${group}`;
}
