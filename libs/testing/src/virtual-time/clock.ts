/** The time that replaced functions go by. */
export interface Clock {
  /** Milliseconds by the clock that is never set. */
  readonly nowMs: number;
  /** Unix milliseconds. */
  wallMs(): number;
  /** At least 0, below 1. */
  random(): number;
  /** Calls `work` after so many milliseconds. @returns a function that prevents it */
  after(ms: number, work: () => void): () => void;
}
