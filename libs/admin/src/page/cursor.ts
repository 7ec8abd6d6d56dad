import { createHash } from 'node:crypto';
import { MillraceError } from '@millrace/core';

/** The longest text of a cursor. */
export const CURSOR_LENGTH = 2_048;

const DIGEST_LENGTH = 16;
const LAST_MOMENT = 8_640_000_000_000_000;
const CURSOR = /^[A-Za-z0-9_-]{16}\.[A-Za-z0-9_-]{1,2000}$/;

const OTHER_QUESTION = 'it belongs to other questions';

/** The name of a question, so that the cursor of one does not go on with another. */
export function questionOf(...parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, DIGEST_LENGTH);
}

/** A place in the answer to a question as text: opaque to those who hold it. */
export function cursorOf(question: string, position: object): string {
  return `${question}.${Buffer.from(JSON.stringify(position)).toString('base64url')}`;
}

/**
 * The place that a cursor has; null without a cursor.
 *
 * @param isPosition checks every part: anybody may have written it
 * @throws MillraceError INVALID_CURSOR
 */
export function positionIn<T>(
  cursor: string | undefined,
  question: string,
  isPosition: (value: unknown) => value is T,
): T | null {
  if (cursor === undefined) return null;
  if (!CURSOR.test(cursor)) throw invalidCursor('it is none');
  if (!cursor.startsWith(`${question}.`)) throw invalidCursor(OTHER_QUESTION);
  const position = parsed(Buffer.from(cursor.slice(DIGEST_LENGTH + 1), 'base64url').toString());
  if (isPosition(position)) return position;
  throw invalidCursor('it is none');
}

export function invalidCursor(why: string): MillraceError {
  return new MillraceError('INVALID_CURSOR', `There is no page behind this cursor: ${why}. Begin with the first page.`);
}

/** A place in an answer whose question has a beginning that the first page chose, in milliseconds since 1970. */
export interface SincePosition {
  readonly since: number;
}

/**
 * Since when a question looks: what the cursor says, or what is given for the first page; null without either.
 *
 * @throws MillraceError INVALID_CURSOR when both say it, and not the same
 */
export function sinceOf(position: SincePosition | null, given: Date | undefined): Date | null {
  if (position === null) return given ?? null;
  if (given !== undefined && given.getTime() !== position.since) throw invalidCursor(OTHER_QUESTION);
  return new Date(position.since);
}

/** An entry id of Redis. */
export function isEntryId(value: unknown): value is string {
  return typeof value === 'string' && /^\d{1,19}-\d{1,19}$/.test(value);
}

/** The parts of a value that is an object; null when it is none. */
export function partsOf(value: unknown): Readonly<Record<string, unknown>> | null {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : null;
}

/** A moment in milliseconds since 1970 that a `Date` can have. */
export function isMoment(value: unknown): value is number {
  return isCount(value) && value <= LAST_MOMENT;
}

export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
