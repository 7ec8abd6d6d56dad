/** How much longer than a beat a member waits at the most, so that not all of them act at one moment. */
const JITTER = 0.5;

/**
 * The members that one of them knows of, which it acts on only when they have been the same for a beat: when many come or go,
 * partitions move once, not with each of them.
 */
export class StableView {
  readonly #beatMs: number;
  readonly #random: () => number;
  #members: readonly string[] = [];
  #stableAtMs = Number.POSITIVE_INFINITY;

  constructor(beatMs: number, random: () => number = Math.random) {
    this.#beatMs = beatMs;
    this.#random = random;
  }

  get members(): readonly string[] {
    return this.#members;
  }

  /**
   * Takes in who is there now, in order.
   *
   * @returns in how many milliseconds it is time to act, if nothing changes; 0 when it is
   */
  see(members: readonly string[], nowMs: number): number {
    const isSame = members.length === this.#members.length && members.every((member, index) => member === this.#members[index]);
    if (!isSame || this.#stableAtMs === Number.POSITIVE_INFINITY) {
      this.#members = members;
      this.#stableAtMs = nowMs + this.#beatMs * (1 + JITTER * this.#random());
    }
    return Math.max(0, this.#stableAtMs - nowMs);
  }
}
