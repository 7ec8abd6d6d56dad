import { LANES } from '../outbox/lanes.js';

/** Enough keys for a page whose rows go side by side, and few enough for four pages at once. */
const LEAST = 16;

/**
 * The lanes that a page takes. While few rows wait, one page takes all of them. While many do, a page is filled from a few lanes,
 * and other relays find the rest free.
 */
export class LaneShare {
  #size = LANES;

  /** Lanes in an order by chance, so that relays do not run after one another; a page for each share of them. */
  of(lanes: readonly number[]): number[][] {
    const drawn = lanes.map((lane) => ({ lane, at: Math.random() }));
    const shuffled = drawn.sort((one, other) => one.at - other.at).map(({ lane }) => lane);
    const shares: number[][] = [];
    for (let from = 0; from < shuffled.length; from += this.#size) shares.push(shuffled.slice(from, from + this.#size));
    return shares;
  }

  learn(isFull: boolean): void {
    this.#size = isFull ? Math.max(LEAST, this.#size / 2) : Math.min(LANES, this.#size * 2);
  }
}
