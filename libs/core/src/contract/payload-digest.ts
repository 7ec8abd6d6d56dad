import { hash } from 'node:crypto';
import type { OutgoingMessage } from '../delivery/ports.js';

/** 96 bits in base64url: that two payloads share one is out of the question. */
const DIGEST_LENGTH = 16;

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
 * decides how it is handled: with another key or type it is another message. Its payload has sorted names.
 */
export function useDigest({ key, type, payloadJson }: Pick<OutgoingMessage, 'key' | 'type' | 'payloadJson'>): string {
  return digestOf(`[${JSON.stringify(key)},${JSON.stringify(type)},${payloadJson}]`);
}

/** JSON with sorted names at any depth; names that are whole numbers come first, by their size, as in any object. */
export function sortedJson(value: unknown): string {
  return JSON.stringify(sorted(value));
}

function sorted(value: unknown): unknown {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(sorted);
  return Object.fromEntries(Object.keys(value).sort().map((name) => [name, sorted(Reflect.get(value, name))]));
}

function digestOf(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, DIGEST_LENGTH);
}
