import { IsWholeNumber, isMillraceError, parseOptions } from '@millrace/core';
import { IsOptional } from 'class-validator';
import { MutationOptions } from '../mutate/mutation-options.js';
import type { Mutation } from '../mutate/mutation.js';
import type { UseCaseParts } from '../parts.js';
import { type TopicTarget, topicWith } from './known-topic.js';

/** The options of `topics.create`. */
export class CreateTopicOptions extends MutationOptions {
  /** Partitions, 1 to 256. Default 1. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 256 })
  partitions?: number = 1;
}

export interface TopicCreation {
  /** The partitions that it has already; null when it is not there. */
  readonly before: number | null;
  readonly partitions: number;
}

/**
 * Makes a topic, where it is not there: also one that was removed. Its groups come with the processes that subscribe to it.
 *
 * @throws MillraceError INVALID_NAME, INVALID_OPTIONS; TOPIC_MISMATCH when it is there with other partitions
 */
export async function createTopic(
  { streams, mutations }: UseCaseParts,
  { topic }: TopicTarget,
  options: CreateTopicOptions,
): Promise<Mutation<TopicCreation, TopicCreation>> {
  const { partitions, ...terms }: CreateTopicOptions = parseOptions(CreateTopicOptions, options, 'topics.create()');
  const definition = topicWith(topic, partitions);
  const before = (): Promise<number | null> => storedPartitions(streams.inspector.topic(topic));
  return mutations.run(
    {
      name: 'topics.create', target: { topic }, terms: { partitions }, isDestructive: false,
      observe: async () => ({ impact: { before: await before(), partitions: definition.partitions } }),
      apply: async ({ impact }) => {
        await streams.declare(definition);
        return { before: impact.before, partitions: definition.partitions };
      },
    },
    terms,
  );
}

async function storedPartitions(known: Promise<{ partitions: number }>): Promise<number | null> {
  try {
    return (await known).partitions;
  } catch (error) {
    if (isMillraceError(error) && error.code === 'UNKNOWN_TOPIC') return null;
    throw error;
  }
}
