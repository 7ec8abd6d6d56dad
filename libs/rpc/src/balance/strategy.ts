import type { Candidate } from './candidate.js';
import type { BalanceStrategy } from './client-options.js';
import { LeastActive } from './least-active.js';
import { Rendezvous } from './rendezvous.js';
import { RoundRobin } from './round-robin.js';
import { TwoChoices } from './two-choices.js';
import { WeightedDraw } from './weighted-draw.js';

/** Gives a number from 0 on, below 1. */
export type Random = () => number;

/** Chooses an instance; it keeps what it has made of a list for as long as it is given the same one. */
export interface Strategy {
  /**
   * @param candidates one at least; another list when anything has changed
   * @param key by which the same instance is chosen, where the strategy goes by keys
   * @throws MillraceError INVALID_INPUT when the strategy goes by keys, and there is none
   */
  choose(candidates: readonly Candidate[], key: string | undefined): Candidate;
}

/** @returns null when no instance is chosen, as the first that is free takes the call */
export function strategyOf(name: BalanceStrategy, random: Random): Strategy | null {
  switch (name) {
    case 'pull':
      return null;
    case 'random':
      return new WeightedDraw(random);
    case 'round-robin':
      return new RoundRobin(random);
    case 'least-active':
      return new LeastActive(random);
    case 'two-choices':
      return new TwoChoices(random);
    case 'key':
      return new Rendezvous();
  }
}
