/** How many of something there were in a time span of a fixed length that has ended lately, or goes on. */
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

  /** What was counted says nothing of what comes. */
  forget(): void {
    this.#count = 0;
    this.#before = 0;
  }

  /** @param nowMs by the monotonic clock */
  of(nowMs: number): number {
    this.#turn(nowMs);
    return Math.max(this.#before, this.#count);
  }

  /** Who is asked late spreads what came meanwhile over the whole time. */
  #turn(nowMs: number): void {
    const passedMs = nowMs - this.#began;
    if (passedMs < this.#spanMs) return;
    this.#before = Math.floor((this.#count * this.#spanMs) / passedMs);
    this.#count = 0;
    this.#began = nowMs;
  }
}
