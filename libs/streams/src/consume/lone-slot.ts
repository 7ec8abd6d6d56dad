/**
 * The one slot of this process for messages whose process vanished before. They are handled one at a time, over all
 * subscriptions, so that the next crash shows which of them caused it.
 */
export class LoneSlot {
  #isTaken = false;
  readonly #waiting = new Set<() => void>();

  /**
   * @param onFree called once, when a slot that is taken now may be taken
   * @returns whether the caller has the slot from now on, until it is released
   */
  take(onFree: () => void): boolean {
    if (this.#isTaken) this.#waiting.add(onFree);
    else this.#waiting.delete(onFree);
    const isGiven = !this.#isTaken;
    this.#isTaken = true;
    return isGiven;
  }

  /**
   * @param onFree called once, when a slot that is taken now may be taken
   * @returns whether it may be taken now
   */
  isFree(onFree: () => void): boolean {
    if (this.#isTaken) this.#waiting.add(onFree);
    return !this.#isTaken;
  }

  /** Offers the slot to the waiting callers in turn, until one takes it. */
  release(): void {
    this.#isTaken = false;
    for (const onFree of [...this.#waiting]) {
      if (this.#isTaken) return;
      this.#waiting.delete(onFree);
      onFree();
    }
  }
}
