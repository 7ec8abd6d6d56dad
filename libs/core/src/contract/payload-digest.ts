import { hash } from 'node:crypto';

/** 96 bits in base64url: that two payloads share one is out of the question. */
const DIGEST_LENGTH = 16;

/**
 * Tells whether two parts of JSON are the same: 16 characters of `A-Z a-z 0-9 _ -`. The order in which the properties of an
 * object were set, at any depth, is no difference; the order of a list is one.
 *
 * @param value parsed JSON
 */
export function jsonDigest(value: unknown): string {
  return hash('sha256', canonical(value), 'base64url').slice(0, DIGEST_LENGTH);
}

/** JSON with sorted names. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const members = Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${canonical(Reflect.get(value, name))}`);
  return `{${members.join(',')}}`;
}
