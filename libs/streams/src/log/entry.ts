import { SETTLED_PAGE_OFFSETS } from '../keys.js';
import { type Span, spanOfId } from './entry-id.js';
import { ENVELOPE_SEPARATOR } from './envelope.js';

const TEXT_FIELD = 'm';

/** An entry as a read returns it: fields and values in turn; null when it was deleted while it was pending. */
export type EntryFields = readonly string[] | null;

/** The messages of an entry of a log. */
export interface Entry {
  /** Offset of the first. */
  readonly base: number;
  readonly envelopes: readonly string[];
}

/** The messages of an entry of a log; null when Millrace did not write it, or not like this. */
export function entryOf(id: string, fields: EntryFields): Entry | null {
  const span = spanOf(id, fields);
  if (!span) return null;
  const envelopes = fields![1]!.slice(1, -1).split(ENVELOPE_SEPARATOR);
  return envelopes.length === span.size ? { base: span.base, envelopes } : null;
}

/** The span of an entry, by its id, if its one field is a JSON array; the messages themselves are not checked. */
export function spanOf(id: string, fields: EntryFields): Span | null {
  if (fields?.length !== 2 || fields[0] !== TEXT_FIELD || !isArray(fields[1]!)) return null;
  const span = spanOfId(id);
  return span && isInOnePage(span) ? span : null;
}

/** The fields of an entry of ours with this text. */
export function fieldsWith(text: string): EntryFields {
  return [TEXT_FIELD, text];
}

export function fieldsOf(fields: EntryFields): Map<string, string> {
  const map = new Map<string, string>();
  for (let i = 0; fields && i + 1 < fields.length; i += 2) map.set(fields[i]!, fields[i + 1]!);
  return map;
}

function isArray(text: string): boolean {
  return text.startsWith('[') && text.endsWith(']');
}

/** No entry of ours crosses from one page of the settled bitmap into the next. */
function isInOnePage({ base, size }: Span): boolean {
  return (base % SETTLED_PAGE_OFFSETS) + size <= SETTLED_PAGE_OFFSETS;
}
