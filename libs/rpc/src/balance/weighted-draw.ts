import type { Candidate } from './candidate.js';

/** Draws instances by their weights. */
export class WeightedDraw {
  readonly #random: () => number;
  #candidates: readonly Candidate[] = [];
  /** The weights of the candidates up to each; null when all weigh the same. */
  #sums: readonly number[] | null = null;

  constructor(random: () => number) {
    this.#random = random;
  }

  choose(candidates: readonly Candidate[]): Candidate {
    return candidates[this.indexIn(candidates)]!;
  }

  indexIn(candidates: readonly Candidate[]): number {
    if (candidates !== this.#candidates) this.#weigh(candidates);
    const sums = this.#sums;
    if (sums === null) return Math.floor(this.#random() * candidates.length);
    const point = this.#random() * sums.at(-1)!;
    let [low, high] = [0, sums.length - 1];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (sums[middle]! > point) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #weigh(candidates: readonly Candidate[]): void {
    this.#candidates = candidates;
    let sum = 0;
    const isEven = candidates.every(({ weight }) => weight === candidates[0]!.weight);
    this.#sums = isEven ? null : candidates.map(({ weight }) => (sum += weight));
  }
}
