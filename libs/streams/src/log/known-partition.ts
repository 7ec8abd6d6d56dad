import { MillraceError, type TopicDefinition } from '@millrace/core';

/**
 * @param partition undefined means all
 * @throws MillraceError INVALID_OPTIONS when the topic has no such partition
 */
export function assertPartition({ name, partitions }: TopicDefinition, partition: number | undefined, where: string): void {
  if (partition === undefined || partition < partitions) return;
  throw new MillraceError('INVALID_OPTIONS', `${where}: topic '${name}' has the partitions 0 to ${partitions - 1}, and no ${partition}.`);
}
