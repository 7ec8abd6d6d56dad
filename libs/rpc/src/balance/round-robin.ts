import type { Candidate } from './candidate.js';

interface Turn {
  readonly candidate: Candidate;
  /** When it is its turn, in a time of its own that goes on by calls. */
  dueAt: number;
}

/**
 * Gives each instance its turns, as many as it weighs, and spreads them: the one whose turn is due first is taken, and its next
 * is due one part of its weight later. A heap keeps the first in front, so that any number of instances costs about the same.
 */
export class RoundRobin {
  readonly #random: () => number;
  #candidates: readonly Candidate[] = [];
  #heap: Turn[] = [];

  constructor(random: () => number) {
    this.#random = random;
  }

  choose(candidates: readonly Candidate[]): Candidate {
    if (candidates !== this.#candidates) this.#begin(candidates);
    const first = this.#heap[0]!;
    first.dueAt += 1 / first.candidate.weight;
    this.#sink();
    return first.candidate;
  }

  /** Callers that start together do not all begin with the same instance. */
  #begin(candidates: readonly Candidate[]): void {
    this.#candidates = candidates;
    this.#heap = candidates.map((candidate) => ({ candidate, dueAt: this.#random() / candidate.weight }));
    this.#heap.sort((one, other) => one.dueAt - other.dueAt);
  }

  #sink(): void {
    const heap = this.#heap;
    const turn = heap[0]!;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.dueAt < heap[child]!.dueAt) child += 1;
      if (heap[child]!.dueAt >= turn.dueAt) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = turn;
  }
}
