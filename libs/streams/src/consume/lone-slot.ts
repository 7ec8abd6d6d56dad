/**
 * The one place in this process for messages whose process vanished before. They are handled one at a time, whatever they
 * belong to, so that the next crash tells which of them it was.
 */
export class LoneSlot {
  #isTaken = false;
  readonly #waiting = new Set<() => void>();

  /**
   * @param onFree called once, when the slot may be taken and was not free now
   * @returns whether it is the caller's from now on, until it is released
   */
  take(onFree: () => void): boolean {
    if (this.#isTaken) this.#waiting.add(onFree);
    else this.#waiting.delete(onFree);
    const isGiven = !this.#isTaken;
    this.#isTaken = true;
    return isGiven;
  }

  /** Those who wait are asked in turn, until one takes it. */
  release(): void {
    this.#isTaken = false;
    for (const onFree of [...this.#waiting]) {
      if (this.#isTaken) return;
      this.#waiting.delete(onFree);
      onFree();
    }
  }
}
