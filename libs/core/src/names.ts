import { MillraceError } from './errors.js';

/**
 * Names of topics, groups, queues and jobs. They stand in Redis keys, log lines and metric labels, so nothing that any of
 * these would have to escape is allowed: no `{}` (hash tags), no `:` (key separator), no spaces, ASCII only.
 */
export const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

export type NameKind = 'topic' | 'group' | 'queue' | 'job' | 'key prefix';

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

/** A value as it may stand in an error or a log line: bounded, with control characters escaped. */
export function quote(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : `a value of type ${value === null ? 'null' : typeof value}`;
  return text.length > 160 ? `${text.slice(0, 157)}...` : text;
}
