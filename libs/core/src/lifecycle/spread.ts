const SPREAD = 0.5;

/** A time somewhere between three and five quarters of `ms`, so that many who wait for the same time do not act at once. */
export function spread(ms: number): number {
  return ms * (1 + SPREAD * (Math.random() - 0.5));
}
