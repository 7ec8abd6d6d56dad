import type { RedisConnection } from '@millrace/redis';

/** When a member of a group was last seen, in Unix milliseconds by Redis's clock; null when none ever was. */
export async function lastSeen(redis: RedisConnection, stats: string): Promise<number | null> {
  const seen = await redis.call('HGET', stats, 'seen');
  return seen === null ? null : Number(seen);
}

/** How long no member of a group has been seen, in milliseconds by Redis's clock; null when none ever was. */
export async function silenceOf(redis: RedisConnection, stats: string): Promise<number | null> {
  const [seen, time] = await Promise.all([lastSeen(redis, stats), redis.call('TIME')]);
  if (seen === null) return null;
  const [seconds, microseconds] = time as [string, string];
  return Math.max(0, Number(seconds) * 1_000 + Math.floor(Number(microseconds) / 1_000) - seen);
}
