import type { Candidate } from './candidate.js';

/** Chooses the instance with the fewest calls of this process for its weight; among equals it draws by weight. */
export class LeastActive {
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  choose(candidates: readonly Candidate[]): Candidate {
    let least = candidates[0]!;
    let equals = least.weight;
    for (let index = 1; index < candidates.length; index += 1) {
      const candidate = candidates[index]!;
      if (candidate.load > least.load) continue;
      if (candidate.load < least.load) {
        least = candidate;
        equals = candidate.weight;
        continue;
      }
      equals += candidate.weight;
      if (this.#random() * equals < candidate.weight) least = candidate;
    }
    return least;
  }
}
