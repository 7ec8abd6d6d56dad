import { HeldEntries, type HeldEntriesParts } from '../src/consume/held-entries.js';

/** Nothing, but for what a spec says otherwise: Redis knows of nothing, nobody is in doubt, no connection was lost. */
export function heldWith(given: Partial<HeldEntriesParts> = {}): HeldEntries {
  return new HeldEntries({
    holdings: { of: () => Promise.resolve(new Set()), has: () => Promise.resolve(false) },
    presence: { isSure: true },
    way: { losses: 0 },
    feedback: { inDoubt: () => undefined, givenAgain: () => undefined },
    ...given,
  });
}
