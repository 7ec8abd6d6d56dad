import type { History, PendingDelivery } from '../consume/pending-delivery.js';

/** The attempts of a message that its owner keeps, as the next owner is to know them. */
export interface AttemptRecord extends History {
  /**
   * The epoch of the owner that was about to have it handled, when it was known that a process had vanished with it; else 0.
   */
  readonly begunIn: number;
  /** When it is due for the next attempt, in Unix milliseconds, and how long it was to wait for that, whatever the clocks say. */
  readonly dueAtMs: number;
  readonly delayMs: number;
}

/** The record as Redis has it. */
export function attemptText(
  { attempt, crashes, firstFailedAt }: PendingDelivery,
  { begunIn, dueAtMs, delayMs }: Omit<AttemptRecord, keyof History>,
): string {
  return [attempt, crashes, firstFailedAt ?? '-', begunIn, dueAtMs, delayMs].join(' ');
}

/** The record of a message that was put aside, and that its owner has not settled: should it come again, it begins anew. */
const PUT_ASIDE: AttemptRecord = { attempt: 1, crashes: 0, firstFailedAt: null, begunIn: 0, dueAtMs: 0, delayMs: 0 };

/** Null for a text that is damaged. */
export function attemptRecordOf(text: string): AttemptRecord | null {
  if (text.startsWith('parked ')) return PUT_ASIDE;
  const parts = /^([1-9]\d*) (\d+) (\d+|-) (\d+) (\d+) (\d+)$/.exec(text);
  if (!parts) return null;
  const [, attempt, crashes, firstFailedAt, begun, due, delay] = parts;
  return {
    attempt: Number(attempt),
    crashes: Number(crashes),
    firstFailedAt: firstFailedAt === '-' ? null : Number(firstFailedAt),
    begunIn: Number(begun),
    dueAtMs: Number(due),
    delayMs: Number(delay),
  };
}
