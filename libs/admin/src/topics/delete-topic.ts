import { type Duration, IsDurationOption, parseOptions, type TopicDefinition } from '@millrace/core';
import type { TopicRemoval } from '@millrace/streams';
import { IsBoolean, IsOptional } from 'class-validator';
import { MutationOptions } from '../mutate/mutation-options.js';
import type { Mutation, Observed } from '../mutate/mutation.js';
import type { UseCaseParts } from '../parts.js';
import { knownTopic, type TopicTarget } from './known-topic.js';

/** The options of `topics.delete` and `groups.remove`. */
export class RemovalOptions extends MutationOptions {
  /** Though members live: they notice it, and stop reading. Default false. */
  @IsOptional() @IsBoolean()
  force?: boolean = false;

  /** How long to wait for the last member to leave, `'0ms'` to `'1h'`. Default `'30s'`. */
  @IsOptional() @IsDurationOption({ min: '0ms', max: '1h' })
  within?: Duration = '30s';
}

interface Seen extends Observed<TopicRemoval> {
  readonly topic: TopicDefinition;
}

/**
 * Removes a topic with its messages, groups and dead letters. A message that is published or handled after the dry run makes its
 * confirmation stale: stop whoever does so first.
 *
 * @throws MillraceError GROUP_BUSY, INVALID_NAME, INVALID_OPTIONS, UNKNOWN_TOPIC, CONFIRMATION_REQUIRED, CONFIRMATION_STALE,
 *   AUDIT_FAILED
 */
export function deleteTopic(
  { streams, mutations }: UseCaseParts,
  { topic: name }: TopicTarget,
  options: RemovalOptions,
): Promise<Mutation<TopicRemoval, TopicRemoval>> {
  const { force, within, ...terms }: RemovalOptions = parseOptions(RemovalOptions, options, 'topics.delete()');
  return mutations.run<TopicRemoval, TopicRemoval, Seen>(
    {
      name: 'topics.delete', target: { topic: name }, terms: { force }, isDestructive: true,
      observe: async () => {
        const topic = await knownTopic(streams.inspector, name);
        return { topic, impact: await streams.topics.remove(topic, { preview: true }) };
      },
      apply: ({ topic }) => streams.topics.remove(topic, { force, within }),
    },
    terms,
  );
}
