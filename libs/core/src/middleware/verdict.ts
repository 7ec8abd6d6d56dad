import type { Outcome } from '../delivery/outcome.js';

/** An outcome that a step has decided in the place of the handler: the steps around it pass it on. */
export class Verdict {
  readonly outcome: Outcome;

  constructor(outcome: Outcome) {
    this.outcome = outcome;
  }
}

/** It is not begun here: it goes back, and no attempt counts. */
export const GOES_BACK = new Verdict({ kind: 'release' });
