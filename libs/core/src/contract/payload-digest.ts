import { hash } from 'node:crypto';

/** 96 bits in base64url: that two payloads share one is out of the question. */
const DIGEST_LENGTH = 16;
/** Longer text is left to JSON.stringify, which reads it faster than a pattern does. */
const MAX_SHORT = 128;
// eslint-disable-next-line no-control-regex -- control characters are among what JSON escapes
const ESCAPED = /["\\\u0000-\u001f\ud800-\udfff]/;

/**
 * The digest of a part of JSON, which two equal parts share: 16 characters of `A-Z a-z 0-9 _ -`. The order in which the
 * properties of an object were set, at any depth, is no difference; the order of a list is one.
 *
 * @param value parsed JSON
 */
export function jsonDigest(value: unknown): string {
  return digestOf(sortedJson(value));
}

/**
 * Identifies the message that is published under an idempotency key. The key of the message decides its partition, and the type
 * decides how it is handled: with another key or type it is another message.
 *
 * @param payload as {@link sortedJson} has it
 */
export function useDigest({ key, type }: { readonly key: string | null; readonly type: string | null }, payload: string): string {
  return digestOf(`[${scalarJson(key)},${scalarJson(type)},${payload}]`);
}

/** JSON with sorted names. */
export function sortedJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(sortedJson).join(',')}]`;
  if (value === null || typeof value !== 'object') return scalarJson(value);
  let text = '';
  for (const name of Object.keys(value).sort()) {
    text += `${text === '' ? '' : ','}${scalarJson(name)}:${sortedJson(Reflect.get(value, name))}`;
  }
  return `{${text}}`;
}

/** `JSON.stringify` of one text, number, boolean or null, in half the time for most texts. */
function scalarJson(value: unknown): string {
  if (typeof value !== 'string') return typeof value === 'number' && !Number.isFinite(value) ? 'null' : String(value);
  return value.length > MAX_SHORT || ESCAPED.test(value) ? JSON.stringify(value) : `"${value}"`;
}

function digestOf(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, DIGEST_LENGTH);
}
