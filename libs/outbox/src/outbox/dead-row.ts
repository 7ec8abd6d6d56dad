import type { RowKind } from './outbox-row.js';

/** Which dead rows `dead()` reads. */
export interface DeadQuery {
  /** 1 to 500. Default 100. */
  readonly limit?: number;
  /** The position of the last dead row of the page before. Default: from the oldest on. */
  readonly after?: string;
}

/** A row that failed for good. */
export interface DeadRow {
  /** Its number in the table. */
  readonly position: string;
  readonly id: string;
  readonly kind: RowKind;
  /** The topic or the queue. */
  readonly target: string;
  readonly key: string | null;
  /** The payload, parsed; its text where that is no JSON. */
  readonly payload: unknown;
  readonly attempts: number;
  readonly createdAt: Date;
  readonly error: string;
}

export function deadRowOf(row: Record<string, unknown>): DeadRow {
  return {
    position: String(row['position']),
    id: String(row['id']),
    kind: row['kind'] as RowKind,
    target: String(row['target']),
    key: row['message_key'] as string | null,
    payload: payloadOf(String(row['payload'])),
    attempts: Number(row['attempts']),
    createdAt: new Date(Number(row['created_ms'])),
    error: typeof row['last_error'] === 'string' ? row['last_error'] : '',
  };
}

function payloadOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Something else has written to the row: it is shown as it is.
    return text;
  }
}
