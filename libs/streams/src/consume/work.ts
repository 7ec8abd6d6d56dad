import type { Message, MillraceError } from '@millrace/core';
import { isMillraceError } from '@millrace/core';
import { SETTLED_PAGE_OFFSETS } from '../keys.js';
import { decodeEnvelope, ENVELOPE_SEPARATOR, malformed } from '../log/envelope.js';
import type { GroupStream } from './group-partition.js';
import { HeldEntry, type HoldingToken } from './held-entry.js';

/** One message to be handled, out of an entry that this member holds. */
export interface Work {
  readonly entry: HeldEntry;
  readonly offset: number;
  /** Handler failures so far plus one. */
  readonly attempt: number;
  /** How often a holder of the message vanished. */
  readonly crashes: number;
  /** When its first attempt failed, in Unix milliseconds; null when none did. */
  readonly firstFailedAt: number | null;
  /** Exactly as it is stored. */
  readonly envelope: string;
  /** The message, or why the envelope cannot be read. */
  readonly message: Message | MillraceError;
}

/** An entry as a read returns it: fields and values in turn; null when it was deleted while it was pending. */
export type EntryFields = readonly string[] | null;

/** What waits in a retry queue and travels through the retry log. */
type RetryBody = readonly [offset: number, attempt: number, crashes: number, firstFailedAt: number | null, envelope: string];

export interface ReadEntry {
  readonly id: string;
  readonly deliveryCount: number;
  readonly fields: EntryFields;
}

/** The messages of one entry. An entry that cannot be read is one message, to be dead-lettered as it is. */
export function workOf(stream: GroupStream, read: ReadEntry, readAt: number): { entry: HeldEntry; work: Work[] } {
  const token = { id: read.id, deliveryCount: read.deliveryCount, heldSince: readAt };
  return stream.kind === 'log' ? workOfLog(stream, read, token) : workOfRetry(stream, read, token);
}

/** The body of a message on its way into the retry queue, or back into the retry log. */
export function retryBody(work: Work, next: { attempt: number; firstFailedAt: number | null }): string {
  const body: RetryBody = [work.offset, next.attempt, work.crashes, next.firstFailedAt, work.envelope];
  return JSON.stringify(body);
}

function workOfLog(stream: GroupStream, read: ReadEntry, token: HoldingToken): { entry: HeldEntry; work: Work[] } {
  const fields = fieldsOf(read.fields);
  const base = Number(fields.get('o') ?? Number.NaN);
  const size = Number(fields.get('n') ?? Number.NaN);
  const envelopes = (fields.get('m') ?? '').slice(1, -1).split(ENVELOPE_SEPARATOR);
  if (!isSpan(base, size) || size !== envelopes.length) return unreadable(stream, read, token);
  const entry = new HeldEntry(stream, token, { base, size });
  const history = { attempt: 1, crashes: read.deliveryCount - 1, firstFailedAt: null };
  return { entry, work: envelopes.map((envelope, index) => newWork(entry, { ...history, offset: base + index, envelope })) };
}

/** No entry of ours crosses from one page of the settled bitmap into the next. */
function isSpan(base: number, size: number): boolean {
  return Number.isSafeInteger(base) && base >= 0 && (base % SETTLED_PAGE_OFFSETS) + size <= SETTLED_PAGE_OFFSETS;
}

function workOfRetry(stream: GroupStream, read: ReadEntry, token: HoldingToken): { entry: HeldEntry; work: Work[] } {
  const body = parseBody(fieldsOf(read.fields).get('r'));
  if (!body) return unreadable(stream, read, token);
  const [offset, attempt, crashes, firstFailedAt, envelope] = body;
  const entry = new HeldEntry(stream, token, { base: offset, size: 1 });
  const history = { attempt, crashes: crashes + read.deliveryCount - 1, firstFailedAt };
  return { entry, work: [newWork(entry, { ...history, offset, envelope })] };
}

/** Offset -1: what Millrace did not write has none, and settling it touches no bitmap. */
function unreadable(stream: GroupStream, read: ReadEntry, token: HoldingToken): { entry: HeldEntry; work: Work[] } {
  const entry = new HeldEntry(stream, token, { base: -1, size: 1 });
  const envelope = JSON.stringify(read.fields);
  const message = malformed('its fields are not those of an entry');
  const history = { attempt: 1, crashes: read.deliveryCount - 1, firstFailedAt: null };
  return { entry, work: [{ ...history, entry, offset: -1, envelope, message }] };
}

function newWork(entry: HeldEntry, parts: Omit<Work, 'entry' | 'message'>): Work {
  return { ...parts, entry, message: decoded(parts.envelope) };
}

function decoded(envelope: string): Message | MillraceError {
  try {
    return decodeEnvelope(envelope);
  } catch (error) {
    if (isMillraceError(error)) return error;
    throw error;
  }
}

function fieldsOf(fields: EntryFields): Map<string, string> {
  const map = new Map<string, string>();
  for (let i = 0; fields && i + 1 < fields.length; i += 2) map.set(fields[i]!, fields[i + 1]!);
  return map;
}

function parseBody(text: string | undefined): RetryBody | null {
  try {
    const body: unknown = JSON.parse(text ?? '');
    const [offset, attempt, crashes, , envelope] = Array.isArray(body) ? (body as unknown[]) : [];
    const good = Number.isSafeInteger(offset) && Number.isSafeInteger(attempt) && Number.isSafeInteger(crashes) && typeof envelope === 'string';
    return good ? (body as RetryBody) : null;
  } catch {
    return null;
  }
}
