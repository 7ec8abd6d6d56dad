/**
 * A place in a topic: its first message that is retained, its end, the first message stored at or after a moment (by Redis's
 * clock), or a message by its offset, in each partition. A place that is not retained any more is the next one that is;
 * one that lies ahead is the end.
 */
export type Position = 'earliest' | 'latest' | Date | { readonly offset: number };

export function isPosition(value: unknown): value is Position {
  if (value === 'earliest' || value === 'latest') return true;
  if (value instanceof Date) return value.getTime() >= 0;
  if (value === null || typeof value !== 'object' || Object.keys(value).length !== 1) return false;
  const { offset } = value as { offset?: unknown };
  return Number.isSafeInteger(offset) && Number(offset) >= 0;
}
