import type { GiveUpReason, Outcome } from './outcome.js';

/** The reasons for giving up a message that a process of a newer version may read. */
const READ_BY_NEWER: readonly GiveUpReason[] = ['UNKNOWN_MESSAGE_TYPE', 'UNSUPPORTED_VERSION'];

const SHORTEST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 30_000;

export interface UnknownFor {
  /** How long it has been tried already; 0 the first time. */
  readonly triedMs: number;
  /** How long it is tried in all. */
  readonly mostMs: number;
}

/**
 * While an application is rolled out, some of its processes know less than others: what one of them cannot read is tried again,
 * as the same attempt, each time after as long again as it has been tried, from 1 to 30 seconds, before it is given up.
 */
export function orTriedLater(outcome: Outcome, { triedMs, mostMs }: UnknownFor): Outcome {
  if (outcome.kind !== 'dead-letter' || triedMs >= mostMs || !READ_BY_NEWER.includes(outcome.reason)) return outcome;
  const delayMs = Math.round(Math.min(Math.max(triedMs, SHORTEST_DELAY_MS), LONGEST_DELAY_MS, mostMs - triedMs));
  return { kind: 'retry', delayMs, error: outcome.error, sameAttempt: true };
}
