import { MillraceError } from '@millrace/core';
import type { Candidate } from './candidate.js';
import { fractionOf, hashOf, mixed } from './hash.js';

/**
 * Chooses the same instance for the same key: each instance draws a lot for the key, by its weight, and the best lot wins. Where
 * one joins or leaves, only the keys move that it wins or has won.
 */
export class Rendezvous {
  /** @throws MillraceError INVALID_INPUT without a key */
  choose(candidates: readonly Candidate[], key: string | undefined): Candidate {
    if (key === undefined) throw keyless();
    const keyHash = hashOf(key);
    let best = candidates[0]!;
    let bestLot = Number.POSITIVE_INFINITY;
    for (const candidate of candidates) {
      const lot = -Math.log(fractionOf(mixed(keyHash ^ candidate.hash))) / candidate.weight;
      if (lot >= bestLot) continue;
      best = candidate;
      bestLot = lot;
    }
    return best;
  }
}

function keyless(): MillraceError {
  const advice = 'Give it in the options of the call, or give the client a function that makes it from the request.';
  return new MillraceError('INVALID_INPUT', `The call was not sent: its client chooses instances by key, and it has none. ${advice}`);
}
