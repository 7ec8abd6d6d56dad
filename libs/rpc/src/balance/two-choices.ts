import type { Candidate } from './candidate.js';
import { WeightedDraw } from './weighted-draw.js';

/** How often another one is drawn when the same came twice: a heavy instance may come again and again. */
const MOST_DRAWS = 4;

/** Draws two instances by weight, and takes the one that has fewer calls of this process for its weight. */
export class TwoChoices {
  readonly #draw: WeightedDraw;

  constructor(random: () => number) {
    this.#draw = new WeightedDraw(random);
  }

  choose(candidates: readonly Candidate[]): Candidate {
    const one = this.#draw.choose(candidates);
    if (candidates.length === 1) return one;
    let other = one;
    for (let draws = 0; other === one && draws < MOST_DRAWS; draws += 1) other = this.#draw.choose(candidates);
    return other.load < one.load ? other : one;
  }
}
