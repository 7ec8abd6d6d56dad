import { type PayloadClass, type TopicDefinition, topicOf } from './topic.js';

/** A topic, named by its class or by what `@Topic` made of it. */
export type TopicRef = PayloadClass | TopicDefinition;

/** @throws MillraceError NOT_A_TOPIC */
export function topicOfRef(topic: TopicRef): TopicDefinition {
  return isDefinition(topic) ? topic : topicOf(topic);
}

/** An instance of a topic's class is no topic. */
function isDefinition(topic: unknown): topic is TopicDefinition {
  if (topic === null || typeof topic !== 'object') return false;
  const { name, partitions, types } = topic as Partial<TopicDefinition>;
  return typeof name === 'string' && Number.isInteger(partitions) && types instanceof Map;
}
