import { HeldEntries, type HeldEntriesParts } from '../src/consume/held-entries.js';

/** Held entries with defaults that a spec may replace: Redis lists no entry, none is stale, no connection was lost. */
export function heldWith(given: Partial<HeldEntriesParts> = {}): HeldEntries {
  return new HeldEntries({
    holdings: { of: () => Promise.resolve(new Set()), has: () => Promise.resolve(false) },
    presence: { isSure: true },
    way: { epochOf: () => 0 },
    feedback: { becameStale: () => undefined, givenAgain: () => undefined },
    ...given,
  });
}
