/** The upper bounds of the classes of {@link Latency}, in milliseconds. The last class, behind them, has none. */
export const LATENCY_BOUNDS_MS: readonly number[] = Object.freeze([
  0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 60_000,
]);

/** How long calls took, as a histogram. */
export interface Latency {
  /** See {@link LATENCY_BOUNDS_MS}; a bound belongs to the class below it. */
  readonly boundsMs: readonly number[];
  /** How many calls fell into each class: one more than there are bounds. */
  readonly counts: readonly number[];
  /** The sum of all of them. */
  readonly sumMs: number;
}

/** Counts durations in constant time and memory. */
export class LatencyCounts {
  readonly #counts = new Array<number>(LATENCY_BOUNDS_MS.length + 1).fill(0);
  #sumMs = 0;

  add(ms: number): void {
    let index = 0;
    while (index < LATENCY_BOUNDS_MS.length && ms > LATENCY_BOUNDS_MS[index]!) index += 1;
    this.#counts[index]! += 1;
    this.#sumMs += ms;
  }

  read(): Latency {
    return { boundsMs: LATENCY_BOUNDS_MS, counts: [...this.#counts], sumMs: this.#sumMs };
  }
}
