import { parseOptions, type TopicDefinition } from '@millrace/core';
import type { GroupRemoval } from '@millrace/streams';
import type { Mutation, Observed } from '../mutate/mutation.js';
import type { UseCaseParts } from '../parts.js';
import { RemovalOptions } from '../topics/delete-topic.js';
import { stateOf } from '../topics/topic-summary.js';
import { type GroupTarget, knownGroup } from '../topics/known-topic.js';

interface Seen extends Observed<GroupRemoval> {
  readonly topic: TopicDefinition;
}

/**
 * Removes a group with its waiting messages and its dead letters. A message that it handles after the dry run makes its
 * confirmation stale; one that is published does not.
 *
 * @throws MillraceError GROUP_BUSY, INVALID_NAME, INVALID_OPTIONS, UNKNOWN_TOPIC, UNKNOWN_GROUP, CONFIRMATION_REQUIRED,
 *   CONFIRMATION_STALE, AUDIT_FAILED
 */
export function removeGroup(
  { streams, mutations }: UseCaseParts,
  { topic: name, group }: GroupTarget,
  options: RemovalOptions,
): Promise<Mutation<GroupRemoval, GroupRemoval>> {
  const { force, within, ...terms }: RemovalOptions = parseOptions(RemovalOptions, options, 'groups.remove()');
  return mutations.run<GroupRemoval, GroupRemoval, Seen>(
    {
      name: 'groups.remove', target: { topic: name, group }, terms: { force }, isDestructive: true,
      observe: async () => {
        const topic = await knownGroup(streams.inspector, { topic: name, group });
        const impact = await streams.groups.remove(topic, group, { preview: true });
        const done = await stateOf(streams.inspector, topic, group);
        const { lag: _, ...counts } = impact;
        return { topic, impact, state: [counts, done?.handled ?? null, done?.deadLettered ?? null] };
      },
      apply: ({ topic }) => streams.groups.remove(topic, group, { force, within }),
    },
    terms,
  );
}
