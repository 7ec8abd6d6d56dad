import { isName, MillraceError, quote, type TopicDefinition } from '@millrace/core';
import type { RedisConnection } from '@millrace/redis';
import { partitionKeys } from '../keys.js';

export interface GroupOfTopic {
  readonly topic: TopicDefinition;
  readonly group: string;
}

/** @throws MillraceError UNKNOWN_GROUP when the group never subscribed to the topic: its name may be misspelt */
export async function assertGroup(redis: RedisConnection, prefix: string, target: GroupOfTopic): Promise<void> {
  const { topic, group } = target;
  const { groups } = partitionKeys(prefix, topic.name, 0);
  if (!isName(group) || (await redis.call('HEXISTS', groups, group)) !== 1) throw unknownGroup(topic.name, group);
}

export function unknownGroup(topic: string, group: string): MillraceError {
  return new MillraceError('UNKNOWN_GROUP', `No group ${isName(group) ? `'${group}'` : quote(group)} has ever subscribed to topic '${topic}' here.`);
}
