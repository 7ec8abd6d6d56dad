import { assertName, defineTopic, MillraceError, type TopicDefinition } from '@millrace/core';
import type { Inspector } from '@millrace/streams';
import { partsOf } from '../page/cursor.js';

/** A topic of operators: they have its name, and Redis has its number of partitions. */
export interface TopicTarget {
  readonly topic: string;
}

export interface GroupTarget extends TopicTarget {
  readonly group: string;
}

/** @throws MillraceError INVALID_OPTIONS, INVALID_NAME */
export function assertTopicTarget(target: unknown): asserts target is TopicTarget {
  const parts = partsOf(target);
  if (parts === null) {
    throw new MillraceError('INVALID_OPTIONS', 'The target must be an object: { topic }, and { topic, group } for what is done to a group.');
  }
  assertName('topic', parts['topic']);
}

/** @throws MillraceError INVALID_OPTIONS, INVALID_NAME */
export function assertGroupTarget(target: unknown): asserts target is GroupTarget {
  assertTopicTarget(target);
  assertName('group', (target as Partial<GroupTarget>).group);
}

/**
 * The topic as Redis knows it. It has nothing of what stands in code alone: its class, its types, its retention.
 *
 * @throws MillraceError INVALID_NAME, UNKNOWN_TOPIC; STATE_LOST when its number of partitions is damaged
 */
export async function knownTopic(inspector: Inspector, name: string): Promise<TopicDefinition> {
  const { partitions } = await inspector.topic(name);
  return topicWith(name, partitions);
}

/** @throws MillraceError as {@link knownTopic} */
export function topicWith(name: string, partitions: number): TopicDefinition {
  assertName('topic', name);
  if (Number.isInteger(partitions) && partitions <= 256) return defineTopic(name, { partitions });
  throw new MillraceError('STATE_LOST', `The index of topics says nothing readable of topic '${name}': a process that declares it mends that.`);
}

/** @throws MillraceError INVALID_NAME, UNKNOWN_TOPIC, STATE_LOST */
export async function knownGroup(inspector: Inspector, { topic, group }: GroupTarget): Promise<TopicDefinition> {
  assertName('group', group);
  return knownTopic(inspector, topic);
}
