/** Most messages in one entry: its id has room for no more. */
export const MOST_IN_ENTRY = 16;

/** Which messages an entry carries. */
export interface Span {
  /** Offset of the first. */
  readonly base: number;
  readonly size: number;
}

/**
 * The messages of a log entry by its id, `<ms>-<base * 16 + size - 1>`. Null for an id that no entry of ours can have. The id
 * of a foreign entry may give a span, too.
 */
export function spanOfId(id: string): Span | null {
  const number = Number(id.slice(id.indexOf('-') + 1));
  if (!Number.isSafeInteger(number)) return null;
  const rest = number % MOST_IN_ENTRY;
  return { base: (number - rest) / MOST_IN_ENTRY, size: rest + 1 };
}
