/** A number of partitions that a topic had before it was raised. */
export interface EarlierCount {
  readonly count: number;
  /** When the raise from it ended, in Unix milliseconds of Redis's clock. */
  readonly untilMs: number;
}

/** How many partitions a topic has, as the index of topics holds it. */
export interface StoredCount {
  readonly count: number;
  /** The number that it is being raised to; null while it is not. */
  readonly target: number | null;
  /** The last one first. */
  readonly earlier: readonly EarlierCount[];
}

/** Reads a text of the index; `raise-count.lua` has its form. Null when there is none, or a damaged one. */
export function storedCount(text: unknown): StoredCount | null {
  const parts = /^([1-9]\d{0,3})(?:>([1-9]\d{0,3}))?((?: \d+@\d+)*)$/.exec(String(text));
  if (!parts) return null;
  const [, count, target, earlier = ''] = parts;
  return { count: Number(count), target: target === undefined ? null : Number(target), earlier: [...earlier.matchAll(/(\d+)@(\d+)/g)].map(earlierOf) };
}

function earlierOf([, count, untilMs]: RegExpMatchArray): EarlierCount {
  return { count: Number(count), untilMs: Number(untilMs) };
}
