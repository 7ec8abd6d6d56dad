import { type GroupKeys, groupKeys, type PartitionKeys, partitionKeys } from '../keys.js';

/** One of the two streams that a group reads in a partition, or what stands in its place. */
export interface GroupStream {
  /** `parked`: no stream, but messages of keys that an operator has released. */
  readonly kind: 'log' | 'again' | 'parked';
  readonly key: string;
  readonly partition: GroupPartition;
}

/** One partition of a topic, as one group sees it: its place, its keys, its two streams. */
export interface GroupPartition {
  readonly topic: string;
  readonly partition: number;
  readonly group: string;
  readonly keys: PartitionKeys;
  readonly groupKeys: GroupKeys;
  readonly streams: readonly [log: GroupStream, retry: GroupStream];
}

export function groupPartition(prefix: string, place: { topic: string; partition: number }, group: string): GroupPartition {
  const keys = partitionKeys(prefix, place.topic, place.partition);
  const own = groupKeys(prefix, place, group);
  const streams: GroupStream[] = [];
  const result: GroupPartition = { ...place, group, keys, groupKeys: own, streams: streams as unknown as GroupPartition['streams'] };
  streams.push({ kind: 'log', key: keys.log, partition: result }, { kind: 'again', key: own.again, partition: result });
  return result;
}
