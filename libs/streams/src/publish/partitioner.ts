import { crc32 } from 'node:zlib';
import type { OutgoingMessage, TopicDefinition } from '@millrace/core';

/**
 * The partition of a message: a pure function of its key, else of its idempotency key, else of its id; otherwise a
 * repeated publish could land in another partition, which does not know the first.
 */
export function partitionOf(message: OutgoingMessage, partitions: number): number {
  if (partitions === 1) return 0;
  return crc32(message.key ?? message.idempotencyKey ?? message.id) % partitions;
}

/**
 * The home partition of an idempotency key, which knows all of its uses in the topic; null when the message is stored there
 * anyway, or when keys are unique in their partition only.
 */
export function claimingPartitionOf(message: OutgoingMessage, partition: number, topic: TopicDefinition): number | null {
  const { idempotencyKey } = message;
  const { partitions, idempotencyScope } = topic;
  if (idempotencyKey === null || partitions === 1 || idempotencyScope === 'partition') return null;
  const claiming = crc32(idempotencyKey) % partitions;
  return claiming === partition ? null : claiming;
}
