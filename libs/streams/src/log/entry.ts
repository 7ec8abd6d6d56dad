import { SETTLED_PAGE_OFFSETS } from '../keys.js';
import { ENVELOPE_SEPARATOR } from './envelope.js';

/** An entry as a read returns it: fields and values in turn; null when it was deleted while it was pending. */
export type EntryFields = readonly string[] | null;

/** The messages of an entry of a log. */
export interface Entry {
  /** Offset of the first. */
  readonly base: number;
  readonly envelopes: readonly string[];
}

/** What an entry of a log carries; null when Millrace did not write it, or not like this. */
export function entryOf(fields: EntryFields): Entry | null {
  const values = fieldsOf(fields);
  const base = Number(values.get('o') ?? Number.NaN);
  const size = Number(values.get('n') ?? Number.NaN);
  const envelopes = (values.get('m') ?? '').slice(1, -1).split(ENVELOPE_SEPARATOR);
  return isSpan(base, size) && size === envelopes.length ? { base, envelopes } : null;
}

export function fieldsOf(fields: EntryFields): Map<string, string> {
  const map = new Map<string, string>();
  for (let i = 0; fields && i + 1 < fields.length; i += 2) map.set(fields[i]!, fields[i + 1]!);
  return map;
}

/** No entry of ours crosses from one page of the settled bitmap into the next. */
function isSpan(base: number, size: number): boolean {
  return Number.isSafeInteger(base) && base >= 0 && (base % SETTLED_PAGE_OFFSETS) + size <= SETTLED_PAGE_OFFSETS;
}
