import { escapeUnseen } from '../names.js';

const LONGEST_SHOWN = 100;

/** The known name that `name` most likely meant, or null when none is near. */
export function nearest(name: string, known: readonly string[]): string | null {
  const limit = Math.max(1, Math.floor(name.length / 3));
  const [best] = known
    .filter((candidate) => Math.abs(candidate.length - name.length) <= limit)
    .map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ distance }) => distance <= limit && distance < name.length)
    .sort((a, b) => a.distance - b.distance);
  return best?.candidate ?? null;
}

/** `"x is not known"`, with the nearest known name or all of them. */
export function unknownName(what: string, name: string, known: readonly string[]): string {
  return `${what} '${shown(name)}' is not known${knownHint(name, known)}`;
}

/** The end of a sentence that says a name is not known: `": did you mean 'x'?"`, or `"; known are x, y."` when none is near. */
export function knownHint(name: string, known: readonly string[]): string {
  const guess = nearest(name, known);
  const all = known.length === 0 ? 'there is none' : `known are ${[...known].sort().join(', ')}`;
  return guess === null ? `; ${all}.` : `: did you mean '${guess}'?`;
}

function shown(name: string): string {
  return escapeUnseen(name.length > LONGEST_SHOWN ? `${name.slice(0, LONGEST_SHOWN)}...` : name);
}

/** Characters to insert, to leave out or to replace, or neighbours to swap. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1, isSwap ? before[j - 2]! + 1 : Infinity));
    }
    before = row;
    row = next;
  }
  return row[b.length]!;
}
