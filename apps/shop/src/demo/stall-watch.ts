/** Notices that nothing moves any more. */
export class StallWatch {
  readonly #limitMs: number;
  #last = '';
  #since = performance.now();

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  /**
   * @param state all that moves
   * @returns whether it was the same for longer than the limit
   */
  isStuck(state: object, nowMs: number = performance.now()): boolean {
    const text = JSON.stringify(state);
    if (text !== this.#last) this.#since = nowMs;
    this.#last = text;
    return nowMs - this.#since > this.#limitMs;
  }
}
