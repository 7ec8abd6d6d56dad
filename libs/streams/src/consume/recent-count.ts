/** How many of something there were in the last time span of a fixed length; the answer is of a span that ends a little earlier. */
export class RecentCount {
  readonly #spanMs: number;
  #began = 0;
  #count = 0;
  #before = 0;

  constructor(spanMs: number) {
    this.#spanMs = spanMs;
  }

  /** @param nowMs by the monotonic clock */
  add(nowMs: number): void {
    this.#turn(nowMs);
    this.#count += 1;
  }

  of(nowMs: number): number {
    this.#turn(nowMs);
    return Math.max(this.#before, this.#count);
  }

  #turn(nowMs: number): void {
    const passedMs = nowMs - this.#began;
    if (passedMs < this.#spanMs) return;
    this.#before = passedMs < 2 * this.#spanMs ? this.#count : 0;
    this.#count = 0;
    this.#began = nowMs;
  }
}
