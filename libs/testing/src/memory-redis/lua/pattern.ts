import { unsupported } from '../reply.js';
import { LuaError } from './values.js';

/**
 * A pattern of Lua as a regular expression: both try the same possibilities in the same order. Balanced texts (`%b`), frontiers,
 * references to captures, and captures of positions have no counterpart; the scripts use none.
 */
const CLASSES: Readonly<Record<string, string>> = {
  a: 'A-Za-z', d: '0-9', l: 'a-z', s: '\\t-\\r ', u: 'A-Z', w: 'A-Za-z0-9', x: 'A-Fa-f0-9', c: '\\0-\\x1f\\x7f', z: '\\0',
  p: '!-\\/:-@\\[-`{-~',
};
const SPECIAL = /[\\^$.*+?()[\]{}|/-]/;

const known = new Map<string, RegExp>();

/** Matches at `lastIndex` and behind it or, with `^`, there alone. */
export function regExpOf(pattern: string): RegExp {
  const found = known.get(pattern);
  if (found) return found;
  const isAnchored = pattern.startsWith('^');
  const made = new RegExp(sourceOf(isAnchored ? pattern.slice(1) : pattern), isAnchored ? 'sy' : 'sg');
  known.set(pattern, made);
  return made;
}

function sourceOf(pattern: string): string {
  let [source, at] = ['', 0];
  while (at < pattern.length) {
    const char = pattern[at]!;
    if (char === '(' || char === ')') {
      if (pattern[at + 1] === ')' && char === '(') throw unsupported('captures of positions');
      source += char;
      at += 1;
    } else if (char === '$' && at === pattern.length - 1) {
      source += '$';
      at += 1;
    } else {
      const [single, next] = singleAt(pattern, at);
      const repeated = repetition(pattern[next]);
      source += single + (repeated ?? '');
      at = next + (repeated === null ? 0 : 1);
    }
  }
  return source;
}

function repetition(char: string | undefined): string | null {
  if (char === '*' || char === '+' || char === '?') return char;
  return char === '-' ? '*?' : null;
}

/** The part that matches one character, and where it ends. */
function singleAt(pattern: string, at: number): [source: string, next: number] {
  const char = pattern[at]!;
  if (char === '.') return ['.', at + 1];
  if (char === '[') return setAt(pattern, at);
  if (char !== '%') return [escaped(char), at + 1];
  const escape = pattern[at + 1];
  if (escape === undefined) throw new LuaError("malformed pattern (ends with '%')");
  if (/[bf0-9]/.test(escape)) throw unsupported(`%${escape} in patterns`);
  return [classOf(escape), at + 2];
}

function classOf(letter: string): string {
  const lower = CLASSES[letter];
  if (lower !== undefined) return `[${lower}]`;
  const upper = CLASSES[letter.toLowerCase()];
  return upper === undefined ? escaped(letter) : `[^${upper}]`;
}

function escaped(char: string): string {
  return SPECIAL.test(char) ? `\\${char}` : char;
}

function setAt(pattern: string, from: number): [source: string, next: number] {
  let [at, source] = [from + 1, '['];
  if (pattern[at] === '^') {
    source += '^';
    at += 1;
  }
  const start = at;
  while (at === start || pattern[at] !== ']') {
    if (at >= pattern.length) throw new LuaError("malformed pattern (missing ']')");
    const [item, next] = itemAt(pattern, at);
    source += item;
    at = next;
  }
  return [`${source}]`, at + 1];
}

function itemAt(pattern: string, at: number): [source: string, next: number] {
  const char = pattern[at]!;
  if (char === '%') {
    const letter = pattern[at + 1] ?? '';
    const inSet = CLASSES[letter];
    if (inSet === undefined && CLASSES[letter.toLowerCase()] !== undefined) throw unsupported(`%${letter} in a set of a pattern`);
    return [inSet ?? escaped(letter), at + 2];
  }
  const end = pattern[at + 2];
  if (pattern[at + 1] === '-' && end !== undefined && end !== ']') return [`${escaped(char)}-${escaped(end)}`, at + 3];
  return [escaped(char), at + 1];
}
