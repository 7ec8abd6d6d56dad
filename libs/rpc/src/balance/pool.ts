import type { Candidate } from './candidate.js';
import type { Candidates } from './candidates.js';
import type { Strategy } from './strategy.js';

export interface PoolParts {
  readonly candidates: Candidates;
  readonly version: string;
  /** Those that belong to it; null for all. */
  readonly belongs: ((candidate: Candidate) => boolean) | null;
  /** Names its instances in errors: `with tag 'canary'`; empty for all of a version. */
  readonly label: string;
  /** Null: the first that is free takes the call. */
  readonly strategy: Strategy | null;
}

/** Instances of one version that calls of one route may go to. */
export class Pool {
  readonly version: string;
  readonly label: string;
  readonly strategy: Strategy | null;
  /** Whether every instance of the version belongs to it. */
  readonly isWhole: boolean;
  readonly candidates: Candidates;
  readonly #belongs: PoolParts['belongs'];
  #all: readonly Candidate[] | null = null;
  #list: readonly Candidate[] = [];

  constructor({ candidates, version, belongs, label, strategy }: PoolParts) {
    this.candidates = candidates;
    this.version = version;
    this.label = label;
    this.strategy = strategy;
    this.isWhole = belongs === null;
    this.#belongs = belongs;
  }

  get isServed(): boolean {
    return this.list.length > 0;
  }

  /** The same list until something changes. */
  get list(): readonly Candidate[] {
    const all = this.candidates.list;
    if (all !== this.#all) {
      this.#all = all;
      this.#list = this.#belongs === null ? all : all.filter(this.#belongs);
    }
    return this.#list;
  }
}
