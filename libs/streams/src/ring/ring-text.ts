import type { GroupStream } from '../consume/group-partition.js';

/**
 * A ring in the channel of a partition, in words that are separated by spaces:
 *
 * - `log <id>`: the log has new messages; no two rings have the same id
 * - `again <group> <id>`: the group's stream of what comes again has new ones
 * - `taken <group> <log | again> <id>`: a member has read all that was there when it was rung with this id
 * - `control <group>`: an operator wants something of the group
 */
export type Ring =
  | { readonly kind: 'log'; readonly id: string }
  | { readonly kind: 'again'; readonly group: string; readonly id: string }
  | { readonly kind: 'taken'; readonly group: string; readonly stream: GroupStream['kind']; readonly id: string }
  | { readonly kind: 'control'; readonly group: string };

/** Null for a text that is no ring of ours. */
export function ringOf(text: string): Ring | null {
  const [kind, first = '', second = '', third = ''] = text.split(' ');
  if (kind === 'log') return { kind, id: first };
  if (kind === 'again') return { kind, group: first, id: second };
  if (kind === 'taken') return { kind, group: first, stream: second === 'log' ? 'log' : 'again', id: third };
  return kind === 'control' ? { kind, group: first } : null;
}

export function takenText({ kind, partition }: GroupStream, id: string): string {
  return `taken ${partition.group} ${kind} ${id}`;
}

export function controlText(group: string): string {
  return `control ${group}`;
}
