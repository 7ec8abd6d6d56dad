import { type ErrorCode, type ErrorRecord, isTooDeep } from '@millrace/core';
import type { DeadLetterRecord } from '@millrace/streams';
import { fingerprintOf } from './fingerprint.js';

/** An error as operators see it. */
export interface ShownError extends Omit<ErrorRecord, 'message' | 'stack' | 'errors' | 'cause'> {
  /** Null when it is hidden: it may quote the message. */
  readonly message: string | null;
  readonly stack?: string | null;
  readonly errors?: readonly ShownError[];
  readonly cause?: ShownError;
}

type Own = 'error' | 'headers' | 'envelope' | 'fields';

/** A dead letter as operators see it, with the mark of how it was given up. */
export interface DeadLetterView extends Omit<DeadLetterRecord, Own> {
  readonly error: ShownError;
  /** A value is null when it is hidden. */
  readonly headers: Readonly<Record<string, string | null>>;
  /** `INVALID_PAYLOAD`: the payload nests deeper than 64 levels, and is null; {@link envelope} has its text. Null: none. */
  readonly problem: ErrorCode | null;
  /** The message exactly as it was stored; null when it is hidden, or a part of it is redacted. */
  readonly envelope: string | null;
  /** Only where the entry is unreadable: names and values of its fields, 20 at the most; null when they are hidden. */
  readonly fields?: DeadLetterRecord['fields'] | null;
  /** The same for dead letters that were given up in the same way. */
  readonly fingerprint: string;
  /** Whether the asker may not see the payload, the key, the values of headers and the texts of errors: they are null then. */
  readonly hidden: boolean;
  /** The parts with `[redacted]` in their place: `payload.card.number`. Items of lists have the path of their list. */
  readonly redacted: readonly string[];
}

export function letterViewOf(record: DeadLetterRecord): DeadLetterView {
  const content = isTooDeep(record.payload) ? TOO_DEEP : { payload: record.payload, problem: null };
  return { ...record, ...content, fingerprint: fingerprintOf(record), hidden: false, redacted: [] };
}

const TOO_DEEP = { payload: null, problem: 'INVALID_PAYLOAD' } as const;
