/** NaN for an empty list. */
export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** Between which values the median of what was measured lies, with 95 % certainty; NaN for an empty list. */
export function medianInterval(values: readonly number[]): readonly [low: number, high: number] {
  const sorted = [...values].sort((a, b) => a - b);
  // The ranks of the binomial distribution, by its normal approximation.
  const outside = Math.max(0, Math.floor((sorted.length - 1.96 * Math.sqrt(sorted.length)) / 2) - 1);
  return [sorted[outside] ?? Number.NaN, sorted[sorted.length - 1 - outside] ?? Number.NaN];
}

/** The smallest value that `percent` of all do not exceed; NaN for an empty list. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN;
}
