import { MillraceError } from './errors.js';

/**
 * Names of topics, groups, queues, jobs and services. They stand in Redis keys, log lines and metric labels, so nothing that any
 * of these would have to escape is allowed: no `{}` (hash tags), no `:` (key separator), no spaces, ASCII only.
 */
export const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

export type NameKind =
  'topic' | 'group' | 'queue' | 'job' | 'key prefix' | 'message type' | 'service' | 'version' | 'method' | 'call';

export function isName(value: unknown): value is string {
  return typeof value === 'string' && NAME_PATTERN.test(value);
}

/** @throws MillraceError INVALID_NAME */
export function assertName(kind: NameKind, value: unknown): asserts value is string {
  if (isName(value)) return;
  throw new MillraceError(
    'INVALID_NAME',
    `${quote(value)} is not allowed as the name of a ${kind}: use 1 to 128 of the characters A-Z a-z 0-9 . _ -, ` +
      'beginning with a letter or a digit.',
  );
}

/** Half of a surrogate pair has no place in UTF-8: Redis would keep U+FFFD, and texts that differ only in that would be one. */
export function hasHalfCharacter(text: string): boolean {
  return /\p{Surrogate}/u.test(text);
}

const MAX_QUOTED = 160;

/** A value as it may stand in an error or a log line: bounded, with everything escaped that is not seen or steers a terminal. */
export function quote(value: unknown): string {
  if (typeof value !== 'string') return `a value of type ${value === null ? 'null' : typeof value}`;
  const text = escapeUnseen(JSON.stringify(value.slice(0, MAX_QUOTED)));
  return text.length > MAX_QUOTED ? `${text.slice(0, MAX_QUOTED - 3)}...` : text;
}

/** Control characters, line separators, and what is invisible or turns the direction of text, as `\u202e`. */
export function escapeUnseen(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (unseen) =>
    unseen.replace(/[^]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`),
  );
}
