import { isName, knownHint, MillraceError, quote, type TopicDefinition } from '@millrace/core';
import type { Topology } from '@millrace/redis';
import { partitionKeys } from '../keys.js';
import { Tombstones } from '../remove/tombstones.js';

export interface GroupOfTopic {
  readonly topic: TopicDefinition;
  readonly group: string;
}

/** @throws MillraceError UNKNOWN_GROUP when the group never subscribed to the topic, as a misspelt one, or was removed */
export async function assertGroup(redis: Topology, prefix: string, target: GroupOfTopic): Promise<void> {
  const { topic, group } = target;
  const { groups } = partitionKeys(prefix, topic.name, 0);
  const isKnown = isName(group) && (await redis.controlFor(groups).call('HEXISTS', groups, group)) === 1;
  const isThere = isKnown && (await new Tombstones(redis, prefix).inForce(topic.name, group)) === null;
  if (!isThere) throw await unknownGroup(redis, prefix, target);
}

const TO_DO = 'A group is there once a process that subscribes to it has started: start one, or correct the name.';

/** The error, with the group of the topic that has the most similar name. */
export async function unknownGroup(redis: Topology, prefix: string, target: GroupOfTopic): Promise<MillraceError> {
  const { topic, group } = target;
  const { groups } = partitionKeys(prefix, topic.name, 0);
  const known = (await redis.controlFor(groups).call('HKEYS', groups)) as string[];
  const [shown, hint] = isName(group) ? [`'${group}'`, knownHint(group, known)] : [quote(group), knownHint('', known)];
  return new MillraceError('UNKNOWN_GROUP', `Topic '${topic.name}' has no group ${shown} here${hint} ${TO_DO}`);
}
