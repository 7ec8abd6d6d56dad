import { parseOptions } from '@millrace/core';
import { MutationOptions } from '../mutate/mutation-options.js';
import type { Mutation } from '../mutate/mutation.js';
import type { UseCaseParts } from '../parts.js';
import type { GroupTarget } from '../topics/known-topic.js';
import { type PauseImpact, seePause } from './pause-group.js';

export interface Resumed {
  /** False when it was not paused, and none of its members was. */
  readonly changed: boolean;
}

/**
 * Ends the pause of a group, and lets members go on whose handlers failed on nearly all messages.
 *
 * @throws MillraceError INVALID_NAME, INVALID_OPTIONS, UNKNOWN_TOPIC, UNKNOWN_GROUP, AUDIT_FAILED
 */
export function resumeGroup(
  parts: UseCaseParts,
  { topic, group }: GroupTarget,
  options: MutationOptions,
): Promise<Mutation<PauseImpact, Resumed>> {
  const terms = parseOptions(MutationOptions, options, 'groups.resume()');
  return parts.mutations.run(
    {
      name: 'groups.resume', target: { topic, group }, terms: {}, isDestructive: false,
      observe: () => seePause(parts, { topic, group }),
      apply: async (seen) => {
        await parts.streams.groups.resume(seen.topic, group);
        return { changed: seen.impact.before !== null || seen.impact.broken.length > 0 };
      },
    },
    terms,
  );
}
