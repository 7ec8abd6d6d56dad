import { clipText, isTooDeep } from '@millrace/core';
import type { DeadLetterReason } from '../consume/dead-letter-reason.js';
import { fieldsOf } from '../log/entry.js';

const MAX_FIELDS = 20;
const MAX_TEXT = 2_000;
/** The largest `Date`, in milliseconds before and after 1970. */
const LAST_DATE_MS = 8.64e15;

interface Stored {
  /** Undefined when the entry has none. */
  readonly envelope: string | undefined;
  /** Null when the entry has none, or one that Millrace did not write, as one of more levels than a payload. */
  readonly reason: DeadLetterReason | null;
}

/** The message and the reason in an entry among the dead letters. */
export function reasonIn(fields: readonly string[]): Stored {
  const values = fieldsOf(fields);
  const reason = parsed(values.get('e'));
  return { envelope: values.get('m'), reason: !isTooDeep(reason) && isReason(reason) ? reason : null };
}

/** The fields of an entry, for operators to look at. */
export function fieldsShown(fields: readonly string[]): [name: string, value: string][] {
  const count = Math.min(fields.length / 2, MAX_FIELDS);
  const shown = (index: number): string => clipText(fields[index] ?? '', MAX_TEXT);
  return Array.from({ length: count }, (_, field) => [shown(field * 2), shown(field * 2 + 1)]);
}

/** When an entry was written, by the clock of Redis, from its id; other programs may use any id. */
export function writtenAt(entry: string): Date {
  return new Date(Math.min(Number(entry.split('-')[0]), LAST_DATE_MS));
}

function parsed(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return null;
  }
}

function isReason(value: unknown): value is DeadLetterReason {
  if (!isObject(value)) return false;
  const { reason, error, attempts, crashes, publishedAt, firstFailedAt, deadLetteredAt, origin } = value;
  const isComplete = isText(reason) && /^[A-Z_]{1,64}$/.test(reason) && isError(error);
  const areTimes = [firstFailedAt, deadLetteredAt, ...(publishedAt === null ? [] : [publishedAt])].every(isTime);
  return isComplete && areTimes && [attempts, crashes].every(isCount) && isOrigin(origin);
}

function isError(value: unknown): boolean {
  return isObject(value) && isText(value['name']) && isText(value['message']);
}

function isOrigin(value: unknown): boolean {
  if (!isObject(value) || !isText(value['topic']) || !isText(value['group'])) return false;
  return Number.isSafeInteger(value['offset']) && Number.isSafeInteger(value['partition']);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function isTime(value: unknown): boolean {
  return typeof value === 'number' && Math.abs(value) <= LAST_DATE_MS;
}
