import type { GroupStream } from '../consume/group-partition.js';

/**
 * A ring in the channel of a partition, as a text of words and spaces:
 *
 * - `log <id>`: the log has new messages; no two rings have the same id
 * - `again <group> <id>`: the group's stream of retries has new messages
 * - `taken <group> <log | again> <id>`: a member has read all messages that were there at the ring with this id
 * - `due <group> <ms>`: a message of the group waits for another attempt, which is due in so many milliseconds
 * - `delayed`: a message was stored that is due later
 * - `control <group>`: an operator wants something of the group, a member has come or gone, or the partition's owner has changed
 */
export type Ring =
  | { readonly kind: 'log'; readonly id: string }
  | { readonly kind: 'again'; readonly group: string; readonly id: string }
  | { readonly kind: 'taken'; readonly group: string; readonly stream: GroupStream['kind']; readonly id: string }
  | { readonly kind: 'due'; readonly group: string; readonly inMs: number }
  | { readonly kind: 'delayed' }
  | { readonly kind: 'control'; readonly group: string };

/** Reads a ring; null for any other text. */
export function ringOf(text: string): Ring | null {
  const [kind, first = '', second = '', third = ''] = text.split(' ');
  if (kind === 'log') return { kind, id: first };
  if (kind === 'again') return { kind, group: first, id: second };
  if (kind === 'taken') return { kind, group: first, stream: second === 'log' ? 'log' : 'again', id: third };
  if (kind === 'due') return { kind, group: first, inMs: Number(second) };
  if (kind === 'delayed') return { kind };
  return kind === 'control' ? { kind, group: first } : null;
}

export function takenText({ kind, partition }: GroupStream, id: string): string {
  return `taken ${partition.group} ${kind} ${id}`;
}

export function controlText(group: string): string {
  return `control ${group}`;
}
