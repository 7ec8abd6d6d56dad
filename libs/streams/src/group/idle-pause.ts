import type { TopicDefinition } from '@millrace/core';

/** Rings announce all that an idle member has to do: its looks bound how late it learns of what nobody has rung for. */
export const LONGEST_IDLE_PAUSE_MS = 30_000;
const LEASES = 2;
/** A look is also the sign that the group has a member. */
const SIGNS_BEFORE_DROP = 3;

/** How long a member of an idle group pauses between two looks. */
export function idlePauseMs({ retention }: TopicDefinition, leaseMs: number): number {
  const longestMs = Math.min(LONGEST_IDLE_PAUSE_MS, leaseMs * LEASES);
  return retention?.overflow === 'drop-group' ? Math.min(longestMs, retention.dropGroupAfterMs / SIGNS_BEFORE_DROP) : longestMs;
}
