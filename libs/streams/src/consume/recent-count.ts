/** Counts events in time spans of a fixed length: the count of the last whole span or of the present one, if that is higher. */
export class RecentCount {
  readonly #spanMs: number;
  #began = 0;
  #count = 0;
  #before = 0;

  constructor(spanMs: number) {
    this.#spanMs = spanMs;
  }

  add(count = 1): void {
    this.#count += count;
  }

  /** Starts anew: the past does not predict what comes. */
  forget(): void {
    this.#count = 0;
    this.#before = 0;
  }

  /** @param nowMs by the monotonic clock */
  of(nowMs: number): number {
    this.#turn(nowMs);
    return Math.max(this.#before, this.#count);
  }

  /** Begins a new span. When it is late, the events are spread evenly over the whole time that has passed. */
  #turn(nowMs: number): void {
    const passedMs = nowMs - this.#began;
    if (passedMs < this.#spanMs) return;
    this.#before = Math.floor((this.#count * this.#spanMs) / passedMs);
    this.#count = 0;
    this.#began = nowMs;
  }
}
