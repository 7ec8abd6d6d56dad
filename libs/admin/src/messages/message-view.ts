import { clipText, type ErrorCode, isTooDeep } from '@millrace/core';
import { type LogItem, readStored } from '@millrace/streams';

const LONGEST_SHOWN = 2_000;

/** A message of a topic as operators see it, or an entry that is none. */
export interface MessageView {
  readonly partition: number;
  /** Its number in the partition; null for an entry that Millrace did not write. */
  readonly offset: number | null;
  /** The id of its entry in Redis. It is no identity of the message: the id is. */
  readonly entry: string;
  /** By Redis's clock. */
  readonly storedAt: Date;
  /** Null when it cannot be read: then {@link problem} says why, and the parts of a message are empty. */
  readonly id: string | null;
  readonly key: string | null;
  readonly idempotencyKey: string | null;
  readonly type: string | null;
  readonly schema: number | null;
  /** A value is null when it is hidden. */
  readonly headers: Readonly<Record<string, string | null>>;
  readonly payload: unknown;
  readonly expiresAt: Date | null;
  /** How often it was put back from the dead letters. */
  readonly redriven: number;
  /** The size of the message as it is stored. */
  readonly bytes: number;
  /** `INVALID_PAYLOAD`: the payload nests deeper than 64 levels, and is null; all else of the message is there. */
  readonly problem: ErrorCode | null;
  /**
   * Only where there is a {@link problem}: the text of the message, cut off after 2,000 characters, or the names and values of
   * the entry's fields. Null when it is hidden.
   */
  readonly found?: string | readonly (readonly [name: string, value: string])[] | null;
  /** Whether the asker may not see the payload, the keys, the values of headers and {@link found}: they are null then. */
  readonly hidden: boolean;
  /** The parts with `[redacted]` in their place: `payload.card.number`. Items of lists have the path of their list. */
  readonly redacted: readonly string[];
}

export function viewOf(item: LogItem): MessageView {
  const { partition, offset, entry, storedAt, envelope, fields } = item;
  const { message, problem } = readStored(envelope);
  const place = { partition, offset, entry, storedAt, bytes: Buffer.byteLength(envelope), problem, ...OPEN };
  const found = (): MessageView['found'] => fields ?? clipText(envelope, LONGEST_SHOWN);
  if (message === null) return { ...place, ...NOTHING, found: found() };
  const { id, key, idempotencyKey, type, schema, headers, payload, expiresAt, redrive } = message;
  const terms = { expiresAt: expiresAt === null ? null : new Date(expiresAt), redriven: redrive?.times ?? 0 };
  const view = { ...place, id, key, idempotencyKey, type, schema, headers, payload, ...terms };
  return isTooDeep(payload) ? { ...view, payload: null, problem: 'INVALID_PAYLOAD', found: found() } : view;
}

const OPEN = { hidden: false, redacted: [] } as const;

const NOTHING = {
  id: null, key: null, idempotencyKey: null, type: null, schema: null, headers: {}, payload: null, expiresAt: null, redriven: 0,
} as const;
