import { crc32 } from 'node:zlib';
import type { OutgoingMessage, TopicDefinition } from '@millrace/core';

/**
 * The partition of a message: a pure function of its key, else of its idempotency key, else of its id; otherwise a
 * repeated publish could land in another partition, which does not know the first.
 */
export function partitionOf(message: OutgoingMessage, partitions: number): number {
  return placeOf(routingKeyOf(message), partitions);
}

/** The text that decides about the partition of a message. */
export function routingKeyOf({ key, idempotencyKey, id }: OutgoingMessage): string {
  return key ?? idempotencyKey ?? id;
}

export function placeOf(routingKey: string, partitions: number): number {
  return partitions === 1 ? 0 : crc32(routingKey) % partitions;
}

/** A message by what decides about its home: the partition that it is stored in, its idempotency key, and the topic. */
export interface Homeward {
  readonly idempotencyKey: string | null;
  readonly partition: number;
  readonly topic: Pick<TopicDefinition, 'partitions' | 'idempotencyScope'>;
}

/**
 * The home partition of an idempotency key, which knows all of its uses in the topic; null when the message is stored there
 * anyway, or when keys are unique in their partition only.
 */
export function claimingPartitionOf({ idempotencyKey, partition, topic }: Homeward): number | null {
  const { partitions, idempotencyScope } = topic;
  if (idempotencyKey === null || partitions === 1 || idempotencyScope === 'partition') return null;
  const claiming = placeOf(idempotencyKey, partitions);
  return claiming === partition ? null : claiming;
}
