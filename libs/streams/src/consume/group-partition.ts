import { type GroupKeys, groupKeys, type PartitionKeys, partitionKeys } from '../keys.js';

/** One of the two streams that a group reads in a partition. */
export interface GroupStream {
  readonly kind: 'log' | 'again';
  readonly key: string;
  readonly partition: GroupPartition;
}

/** What a group has in one partition: its place, its keys, its two streams. */
export interface GroupPartition {
  readonly topic: string;
  readonly partition: number;
  readonly group: string;
  readonly keys: PartitionKeys;
  readonly groupKeys: GroupKeys;
  readonly streams: readonly [log: GroupStream, retry: GroupStream];
}

/** As many partitions together as one call may look after: more would hold Redis up. */
export function pagesOf<T>(partitions: readonly T[], size: number): T[][] {
  const pages = Array.from({ length: Math.ceil(partitions.length / size) }, (_, page) => page * size);
  return pages.map((first) => partitions.slice(first, first + size));
}

/** How many messages of each partition one call may move, so that it moves no more than it should of all together. */
export function shareOf(messages: number, partitions: readonly unknown[]): number {
  return Math.ceil(messages / partitions.length);
}

export function groupPartition(prefix: string, place: { topic: string; partition: number }, group: string): GroupPartition {
  const keys = partitionKeys(prefix, place.topic, place.partition);
  const own = groupKeys(prefix, place, group);
  const streams: GroupStream[] = [];
  const result: GroupPartition = { ...place, group, keys, groupKeys: own, streams: streams as unknown as GroupPartition['streams'] };
  streams.push({ kind: 'log', key: keys.log, partition: result }, { kind: 'again', key: own.again, partition: result });
  return result;
}
