import type { Retention, TopicDefinition } from '@millrace/core';

/** A topic that does not keep everything. */
export type RetainedTopic = TopicDefinition & { readonly retention: Retention };

export function isRetained(topic: TopicDefinition): topic is RetainedTopic {
  return topic.retention !== null;
}
