import { connectServer, type StandaloneTopology } from '@millrace/redis';

const PAGE = 500;

/**
 * Removes every key that a run wrote, those of its queues too: their prefix is a hash tag.
 *
 * @throws MillraceError REDIS_UNREACHABLE, RedisFailure
 */
export async function removeKeys(url: string, prefix: string): Promise<void> {
  const redis = await connectServer({ url, name: 'shop' });
  try {
    for (const pattern of [`${prefix}:*`, `{${prefix}}:*`]) await removeMatching(redis, pattern);
  } finally {
    redis.close();
  }
}

async function removeMatching({ control }: StandaloneTopology, pattern: string): Promise<void> {
  let cursor = '0';
  do {
    const [next, keys] = (await control.call('SCAN', cursor, 'MATCH', pattern, 'COUNT', PAGE)) as [string, string[]];
    if (keys.length > 0) await control.call('UNLINK', ...keys);
    cursor = next;
  } while (cursor !== '0');
}
