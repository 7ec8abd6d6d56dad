import type { Message, MillraceError } from '@millrace/core';
import { isMillraceError } from '@millrace/core';
import { type EntryFields, entryOf, fieldsOf } from '../log/entry.js';
import { decodeEnvelope, malformed } from '../log/envelope.js';
import type { GroupStream } from './group-partition.js';
import type { DeadLetterReason } from './dead-letter-reason.js';
import { HeldEntry, type HoldingToken, type Moment } from './held-entry.js';

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
  /** Present: the message is settled; this is to tell of its dead letter. Attempt and crashes are those of the telling. */
  readonly notice: Notice | null;
}

/** What a notice of a dead letter says beside the message. */
export interface Notice {
  readonly reason: DeadLetterReason;
  readonly deadLetterId: string;
}

export type ReadableWork = Work & { readonly message: Message };

export function isReadable(work: Work): work is ReadableWork {
  return !(work.message instanceof Error);
}

/** What waits in a retry queue and travels through the retry log: a message; with the last two, a notice of its dead letter. */
type RetryBody = readonly [
  offset: number,
  attempt: number,
  crashes: number,
  firstFailedAt: number | null,
  envelope: string,
  reason?: DeadLetterReason,
  deadLetterId?: string,
];

export interface ReadEntry {
  readonly id: string;
  readonly deliveryCount: number;
  readonly fields: EntryFields;
}

/** The messages of one entry. An entry that cannot be read is one message, to be dead-lettered as it is. */
export function workOf(stream: GroupStream, read: ReadEntry, readAt: Moment): { entry: HeldEntry; work: Work[] } {
  const token = { id: read.id, deliveryCount: read.deliveryCount, heldSince: readAt };
  return stream.kind === 'log' ? workOfLog(stream, read, token) : workOfRetry(stream, read, token);
}

/** The body of a message on its way into the retry queue, or back into the retry log. */
export function retryBody(work: Work, next: { attempt: number; firstFailedAt: number | null }): string {
  const { offset, crashes, envelope, notice } = work;
  const body: RetryBody = [offset, next.attempt, crashes, next.firstFailedAt, envelope];
  return JSON.stringify(notice ? [...body, notice.reason, notice.deadLetterId] : body);
}

/** The body of a message that begins anew in the retry log. */
export function freshBody(offset: number, envelope: string): string {
  const body: RetryBody = [offset, 1, 0, null, envelope];
  return JSON.stringify(body);
}

function workOfLog(stream: GroupStream, read: ReadEntry, token: HoldingToken): { entry: HeldEntry; work: Work[] } {
  const found = entryOf(read.id, read.fields);
  if (!found) return unreadable(stream, read, token);
  const { base, envelopes } = found;
  const entry = new HeldEntry(stream, token, { base, size: envelopes.length });
  const history = { attempt: 1, crashes: read.deliveryCount - 1, firstFailedAt: null, notice: null };
  return { entry, work: envelopes.map((envelope, index) => newWork(entry, { ...history, offset: base + index, envelope })) };
}

function workOfRetry(stream: GroupStream, read: ReadEntry, token: HoldingToken): { entry: HeldEntry; work: Work[] } {
  const body = parseBody(fieldsOf(read.fields).get('r'));
  if (!body) return unreadable(stream, read, token);
  const [offset, attempt, crashes, firstFailedAt, envelope, reason, deadLetterId = ''] = body;
  const entry = new HeldEntry(stream, token, { base: offset, size: 1 });
  const notice = reason ? { reason, deadLetterId } : null;
  const history = { attempt, crashes: crashes + read.deliveryCount - 1, firstFailedAt, notice };
  return { entry, work: [newWork(entry, { ...history, offset, envelope })] };
}

/** Offset -1: what Millrace did not write has none, and settling it touches no bitmap. */
function unreadable(stream: GroupStream, read: ReadEntry, token: HoldingToken): { entry: HeldEntry; work: Work[] } {
  const entry = new HeldEntry(stream, token, { base: -1, size: 1 });
  const envelope = JSON.stringify(read.fields);
  const message = malformed('its fields are not those of an entry');
  const history = { attempt: 1, crashes: read.deliveryCount - 1, firstFailedAt: null, notice: null };
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
