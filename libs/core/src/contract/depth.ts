import { lookAt } from './look.js';
import { isData, MAX_PAYLOAD_DEPTH } from './payload-inspector.js';

/**
 * Whether parsed JSON has more levels than a payload may have, {@link MAX_PAYLOAD_DEPTH} unless `levels` says otherwise, itself
 * included. Content that other programs stored may have 20,000, which `JSON.parse` reads and `JSON.stringify` cannot write.
 */
export function isTooDeep(parsed: unknown, levels = MAX_PAYLOAD_DEPTH): boolean {
  return parsed !== null && typeof parsed === 'object' && lookAt(parsed, levels) === 'too deep';
}

/** A copy of plain data with `…` in place of all lists and objects behind so many levels. A Date stays as it is. */
export function cutAt(levels: number, value: unknown): unknown {
  if (value === null || typeof value !== 'object') return value;
  if (levels === 0) return '…';
  if (Array.isArray(value)) return value.map((item) => cutAt(levels - 1, item));
  if (!isData(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, cutAt(levels - 1, part)]));
}
