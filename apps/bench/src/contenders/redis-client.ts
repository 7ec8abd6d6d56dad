import { Redis } from 'ioredis';

/** A connection that prints nothing when it is lost: the commands fail soon and report it. */
export function openRedis(url: string): Redis {
  const redis = new Redis(url, { maxRetriesPerRequest: 1 });
  redis.on('error', () => undefined);
  return redis;
}

/** Says goodbye; resolves when Redis has answered everything that was sent before. */
export async function ended(redis: Redis): Promise<void> {
  await redis.quit();
}
