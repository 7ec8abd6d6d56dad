import type { RedisConnection } from '@millrace/redis';

/** Partitions that one call looks after, and the connection on which it goes. */
export interface Page<T> {
  readonly redis: RedisConnection;
  readonly partitions: readonly T[];
}

/**
 * All partitions, as many in a page as one call may look after: those of one connection, and not too many, since more would
 * hold Redis up.
 */
export function pagesOf<T>(partitions: readonly T[], most: number, connectionOf: (partition: T) => RedisConnection): Page<T>[] {
  const together = new Map<RedisConnection, T[]>();
  for (const partition of partitions) {
    const redis = connectionOf(partition);
    const own = together.get(redis);
    if (own) own.push(partition);
    else together.set(redis, [partition]);
  }
  return [...together].flatMap(([redis, own]) => chunksOf(own, most).map((chunk) => ({ redis, partitions: chunk })));
}

export function chunksOf<T>(items: readonly T[], size: number): T[][] {
  const starts = Array.from({ length: Math.ceil(items.length / size) }, (_, chunk) => chunk * size);
  return starts.map((first) => items.slice(first, first + size));
}

/** How many messages of each partition one call may move, so that it moves no more than it should of all together. */
export function shareOf(messages: number, partitions: readonly unknown[]): number {
  return Math.ceil(messages / partitions.length);
}
