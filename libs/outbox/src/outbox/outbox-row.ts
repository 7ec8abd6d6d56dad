import {
  type AgedJobDraft, asError, type DueTime, type Durability, type JobDraft, type MessageDraft, MillraceError, type Outgoing,
  type SendOptions,
} from '@millrace/core';
import { laneOf } from './lanes.js';

/**
 * The states of a row:
 *
 * - `pending`: a relay takes it, in the order of the rows of its key. The state of a new row.
 * - `waiting`: it failed and is tried again at `next_at`; or, without a `next_at`, it stands behind such a row of its key.
 * - `dead`: it failed for good. `redrive()` alone makes it pending again.
 * - `published`: it is kept until `next_at`, then removed. Where nothing is to be kept, it is removed instead.
 */
export type RowState = 'pending' | 'waiting' | 'dead' | 'published';

export type RowKind = 'message' | 'job';

/** A row as it is written. */
export interface NewRow {
  readonly id: string;
  readonly lane: number;
  readonly kind: RowKind;
  /** The topic or the queue. */
  readonly target: string;
  readonly key: string | null;
  /** JSON: all of a message or job but its payload. */
  readonly envelope: string;
  readonly payload: string;
}

/** The columns that are written. */
export const INSERTED = ['id', 'lane', 'kind', 'target', 'message_key', 'envelope', 'payload'] as const;

/** The values of {@link INSERTED}. */
export function valuesOf({ id, lane, kind, target, key, envelope, payload }: NewRow): unknown[] {
  return [id, lane, kind, target, key, envelope, payload];
}

/** A row as a relay reads it. */
export interface StoredRow extends NewRow {
  readonly position: string;
  readonly state: RowState;
  readonly attempts: number;
  /** Milliseconds since it was written, by the clock of the database. */
  readonly ageMs: number;
}

interface MessageEnvelope {
  readonly headers?: Readonly<Record<string, string>>;
  readonly type?: string;
  readonly schema?: number;
  readonly expiresAt?: number;
  readonly idempotencyKey?: string;
  readonly due?: DueTime;
  readonly durability?: Durability;
}

interface JobEnvelope {
  readonly name: string;
  readonly options: object;
}

export function messageRow({ topic, message, sendOptions }: MessageDraft): NewRow {
  const { id, key, headers, type, schema, expiresAt, idempotencyKey, payloadJson: payload } = message;
  assertStorable(key, topic);
  const envelope: MessageEnvelope = {
    ...(Object.keys(headers).length > 0 && { headers }),
    ...(type !== null && { type }),
    ...(schema !== 1 && { schema }),
    ...(expiresAt !== null && { expiresAt }),
    ...(idempotencyKey !== null && { idempotencyKey }),
    ...(sendOptions?.due && { due: sendOptions.due }),
    ...(sendOptions?.durability && { durability: sendOptions.durability }),
  };
  const row = { id, kind: 'message' as const, target: topic, key };
  return { ...row, lane: laneOf(row), envelope: JSON.stringify(envelope), payload };
}

export function jobRow({ id, queue, name, payloadJson: payload, optionsJson }: JobDraft): NewRow {
  const row = { id, kind: 'job' as const, target: queue, key: null };
  return { ...row, lane: laneOf(row), envelope: `{"name":${JSON.stringify(name)},"options":${optionsJson}}`, payload };
}

/**
 * The message of a row. Its id makes it unique, unless its publisher gave an idempotency key: published again, it is a duplicate.
 *
 * @throws MillraceError MALFORMED_ENVELOPE when something else has written to the row
 */
export function outgoingOf(row: StoredRow, deadlineMs: number): Outgoing {
  const envelope = parsed<MessageEnvelope>(row);
  const { headers = {}, type = null, schema = 1, expiresAt = null, idempotencyKey, due, durability } = envelope;
  const { id, key, payload: payloadJson } = row;
  const message = { id, key, idempotencyKey: idempotencyKey ?? id, headers, expiresAt, type, schema, payloadJson };
  // No other message has the id of this row, which is always published with the same key.
  const idempotencyScope = idempotencyKey === undefined ? 'partition' : undefined;
  const sendOptions: SendOptions = { deadlineMs, due: dueNow(due, row.ageMs), durability, idempotencyScope };
  return { message, sendOptions };
}

/** @throws MillraceError MALFORMED_ENVELOPE when something else has written to the row */
export function jobDraftOf(row: StoredRow): AgedJobDraft {
  const { name, options } = parsed<JobEnvelope>(row);
  const { id, target: queue, payload: payloadJson } = row;
  return { draft: { id, queue, name, payloadJson, optionsJson: JSON.stringify(options) }, ageMs: row.ageMs };
}

/** A delay counts from when the row was written; a moment that has passed means at once. */
function dueNow(due: DueTime | undefined, ageMs: number): DueTime | undefined {
  if (due === undefined) return undefined;
  if ('atMs' in due) return due.atMs > Date.now() ? due : undefined;
  const inMs = Math.ceil(due.inMs - ageMs);
  return inMs > 0 ? { inMs } : undefined;
}

function parsed<Envelope extends object>({ id, envelope, payload }: StoredRow): Envelope {
  try {
    JSON.parse(payload);
    return { ...(JSON.parse(envelope) as Envelope) };
  } catch (thrown) {
    const what = `Row ${id} of the outbox is not as it was written: ${asError(thrown).message}`;
    throw new MillraceError('MALFORMED_ENVELOPE', `${what}. Mend its envelope and payload, which are JSON, and redrive it.`);
  }
}

function assertStorable(key: string | null, topic: string): void {
  if (key === null || !key.includes('\0')) return;
  throw new MillraceError('INVALID_OPTIONS', `publish(${topic}): the key holds a NUL character, which no SQL text can have.`);
}
