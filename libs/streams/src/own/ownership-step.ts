import { isFree, type OwnerRecord } from './owner-record.js';

/** The time for which a member owns a partition under one epoch. */
export interface Tenure {
  readonly epoch: number;
  /** When it began, by the monotonic clock. */
  readonly sinceMs: number;
  /** `draining`: its user finishes what is in flight; `drained`: nothing keeps it from being released. */
  readonly state: 'owned' | 'draining' | 'drained';
}

/** All that decides about one partition. */
export interface Situation {
  readonly member: string;
  /** The tenure of this member, which the record confirms. */
  readonly tenure: Tenure | null;
  /** The last record that Redis gave. */
  readonly record: OwnerRecord;
  /** Whether the owner in the record is known to be dead, or to have left. */
  readonly isOwnerGone: boolean;
  /** The member to which the partition is assigned; null while that is not clear. */
  readonly assignee: string | null;
  /** Whether nobody can take this process for dead. */
  readonly isSure: boolean;
  readonly nowMs: number;
}

/**
 * - `acquire`, `revoke`, `release`: as they say
 * - `keep`: there is nothing to do; `hold`: the member gives the partition up, but has not had it for long enough, and has to
 *   decide anew in so many milliseconds; `await`: it waits for the present owner, for its own user, or for an owner to come: as
 *   long as nobody owns the partition, members may know different members, and have to look again
 */
export type Step =
  | { readonly kind: 'acquire' | 'revoke' | 'release' | 'keep' | 'await' }
  | { readonly kind: 'hold'; readonly forMs: number };

/** A partition that has just been acquired stays so long, so that it does not go round while members come and go. */
export const LEAST_TENURE_MS = 1_000;

/** Decides what a member does about one partition. */
export function stepFor(situation: Situation): Step {
  return situation.tenure === null ? withoutTenure(situation) : withTenure(situation, situation.tenure);
}

function withTenure({ member, assignee, nowMs }: Situation, { state, sinceMs }: Tenure): Step {
  if (state === 'drained') return { kind: 'release' };
  if (state === 'draining') return { kind: 'await' };
  if (assignee === null || assignee === member) return { kind: 'keep' };
  const forMs = sinceMs + LEAST_TENURE_MS - nowMs;
  return forMs > 0 ? { kind: 'hold', forMs } : { kind: 'revoke' };
}

/** A record that names this member is left over from an answer that was lost: nobody but this member can remove it. */
function withoutTenure({ member, record, isOwnerGone, assignee, isSure }: Situation): Step {
  const isOwn = record.owner === member;
  if (assignee === null) return { kind: 'keep' };
  if (assignee !== member) return { kind: isOwn ? 'release' : isOwnerGone || isFree(record) ? 'await' : 'keep' };
  // The owner may be gone for this process alone, which stood still itself.
  return { kind: isSure && (isOwn || isOwnerGone || isFree(record)) ? 'acquire' : 'await' };
}
