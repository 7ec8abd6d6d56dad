import { RedisError } from '../reply.js';

/**
 * An id as 40 digits, 20 for the milliseconds and 20 for the number: each has up to 64 bits, which is more than a number of
 * JavaScript holds, and texts of one length have the order of their numbers.
 */
export type EntryId = string;

const WIDTH = 20;
const MOST = '18446744073709551615';
const ID = /^(\d{1,20})(?:-(\d{1,20}))?$/;

export const LOWEST: EntryId = '0'.repeat(2 * WIDTH);
export const HIGHEST: EntryId = MOST + MOST;

export function invalidId(): RedisError {
  return new RedisError('ERR Invalid stream ID specified as stream command argument');
}

/** Reads an id whose number may be left out; null for any other text. */
export function idIn(text: string, missing = '0'): EntryId | null {
  const [, ms, number = missing] = ID.exec(text) ?? [];
  if (ms === undefined) return null;
  const id = idOf(ms, number);
  return id.slice(0, WIDTH) > MOST || id.slice(WIDTH) > MOST ? null : id;
}

function read(text: string, missing: string): EntryId {
  const id = idIn(text, missing);
  if (id === null) throw invalidId();
  return id;
}

/** @throws RedisError */
export function parseId(text: string): EntryId {
  return read(text, '0');
}

export function idOf(ms: number | string, number: number | string): EntryId {
  return String(ms).padStart(WIDTH, '0') + String(number).padStart(WIDTH, '0');
}

export function textOfId(id: EntryId): string {
  return `${withoutZeros(id, 0)}-${withoutZeros(id, WIDTH)}`;
}

function withoutZeros(id: string, from: number): string {
  let first = from;
  while (first < from + WIDTH - 1 && id.charCodeAt(first) === 48) first += 1;
  return id.slice(first, from + WIDTH);
}

/** Null after the highest number of this millisecond. */
function nextInMs(id: EntryId): EntryId | null {
  const [ms, number] = [id.slice(0, WIDTH), id.slice(WIDTH)];
  return number === MOST ? null : ms + String(BigInt(number) + 1n).padStart(WIDTH, '0');
}

/** The id of a new entry: `*` and `<ms>-*` go on behind the last one. Null where it cannot be higher than that. */
export function newId(text: string, last: EntryId, nowMs: number): EntryId | null {
  const lastMs = last.slice(0, WIDTH);
  if (text === '*') {
    const now = idOf(nowMs, 0);
    if (now > last) return now;
    return nextInMs(last) ?? idOf(String(BigInt(lastMs) + 1n), 0);
  }
  const isOpen = text.endsWith('-*');
  const id = isOpen ? parseId(text.slice(0, -1) + '0') : parseId(text);
  if (isOpen && id.slice(0, WIDTH) === lastMs) return nextInMs(last);
  return id > last ? id : null;
}

export interface IdRange {
  readonly from: EntryId;
  readonly to: EntryId;
  readonly isAbove: boolean;
  readonly isBelow: boolean;
}

/** @throws RedisError */
export function parseRange(start: string, end: string): IdRange {
  const [from, isAbove] = bound(start, '0');
  if (isAbove && from === HIGHEST) throw new RedisError('ERR invalid start ID for the interval');
  const [to, isBelow] = bound(end, MOST);
  if (isBelow && to === LOWEST) throw new RedisError('ERR invalid end ID for the interval');
  return { from, to, isAbove, isBelow };
}

function bound(text: string, missing: string): [id: EntryId, isExclusive: boolean] {
  if (text === '-') return [LOWEST, false];
  if (text === '+') return [HIGHEST, false];
  return text.startsWith('(') ? [read(text.slice(1), missing), true] : [read(text, missing), false];
}
