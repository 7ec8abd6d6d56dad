import { IsWholeNumber, parseOptions, type TopicDefinition } from '@millrace/core';
import type { PartitionsRaised } from '@millrace/streams';
import { MutationOptions } from '../mutate/mutation-options.js';
import type { Mutation, Observed } from '../mutate/mutation.js';
import type { UseCaseParts } from '../parts.js';
import { knownTopic, type TopicTarget } from './known-topic.js';
import { stateOf } from './topic-summary.js';

/** The options of `topics.raisePartitions`. */
export class RaisePartitionsOptions extends MutationOptions {
  /** The number of partitions that the topic is to have, 2 to 256: it only grows. */
  @IsWholeNumber({ min: 2, max: 256 })
  partitions!: number;
}

/** A group when a raise begins. An ordered one handles nothing from after the raise before all this is done. */
export interface GroupAtRaise {
  readonly group: string;
  /** Messages that it is to handle still. */
  readonly lag: number;
  /** Messages that wait until an operator releases their keys. */
  readonly parked: number;
}

export interface RaiseImpact extends Omit<PartitionsRaised, 'groups'> {
  readonly groups: readonly GroupAtRaise[];
}

interface Seen extends Observed<RaiseImpact> {
  readonly raise: { readonly topic: TopicDefinition; readonly from: number };
}

/**
 * Raises the number of partitions of a topic, for good, while it is in use. A number that it has already is a success that
 * changes nothing. After an interruption, call it again. A message that is published or handled after the dry run does not make
 * its confirmation stale; another raise, or another group, does.
 *
 * @throws MillraceError INVALID_NAME, UNKNOWN_TOPIC, STATE_LOST; INVALID_OPTIONS, also for a lower number; TOPIC_MISMATCH while
 *   it is being raised to another number; REMOVED, CONFIRMATION_REQUIRED, CONFIRMATION_STALE, AUDIT_FAILED
 */
export function raisePartitions(
  { streams, mutations }: UseCaseParts,
  { topic: name }: TopicTarget,
  options: RaisePartitionsOptions,
): Promise<Mutation<RaiseImpact, PartitionsRaised>> {
  const { partitions: to, ...terms } = parseOptions(RaisePartitionsOptions, options, 'topics.raisePartitions()');
  return mutations.run<RaiseImpact, PartitionsRaised, Seen>(
    {
      name: 'topics.raisePartitions', target: { topic: name }, terms: { partitions: to }, isDestructive: true,
      observe: async () => {
        const topic = await knownTopic(streams.inspector, name);
        // With the number that it has, whatever it is raised from, nothing is changed.
        const from = topic.partitions === to ? to - 1 : topic.partitions;
        const raised = await streams.topics.raisePartitions(topic, { from, to, preview: true });
        const impact = { ...raised, groups: await groupsOf(streams, topic, raised.groups) };
        return { raise: { topic, from }, impact, state: raised };
      },
      apply: ({ raise: { topic, from } }) => streams.topics.raisePartitions(topic, { from, to }),
    },
    terms,
  );
}

async function groupsOf(
  { inspector }: UseCaseParts['streams'],
  topic: TopicDefinition,
  names: readonly string[],
): Promise<GroupAtRaise[]> {
  const groups: GroupAtRaise[] = [];
  // One group after the other: each asks every partition.
  for (const group of names) {
    const state = await stateOf(inspector, topic, group);
    groups.push({ group, lag: state?.lag ?? 0, parked: state?.parked ?? 0 });
  }
  return groups;
}
