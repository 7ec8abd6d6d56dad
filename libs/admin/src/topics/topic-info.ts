import type { PartitionFacts } from '@millrace/streams';
import type { UseCaseParts } from '../parts.js';
import { knownTopic } from './known-topic.js';
import { factsOf, sumOf, summaryOf, type TopicSummary } from './topic-summary.js';

/** A topic with the log of each partition. */
export interface TopicInfo extends Omit<TopicSummary, 'partitions'> {
  readonly partitions: readonly PartitionFacts[];
}

/** @throws MillraceError INVALID_NAME, UNKNOWN_TOPIC, STATE_LOST */
export async function topicInfo({ streams }: UseCaseParts, name: string): Promise<TopicInfo> {
  const topic = await knownTopic(streams.inspector, name);
  const [summary, partitions] = [await summaryOf(streams, topic), await factsOf(streams.reader, topic)];
  return { ...summary, ...sumOf(partitions), partitions };
}
