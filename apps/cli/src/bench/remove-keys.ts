import type { Topology } from '@millrace/redis';

const A_LOOK = 1_000;

/**
 * Removes every key of a prefix that nobody uses any more, a thousand looks of Redis at a time.
 *
 * @throws RedisFailure: some keys may be left
 */
export async function removeKeys(redis: Topology, prefix: string): Promise<void> {
  for (const { control } of redis.primaries()) {
    let from = '0';
    do {
      const answer = await control.call('SCAN', from, 'MATCH', `*${prefix}*`, 'COUNT', A_LOOK);
      const [next, keys] = answer as [string, string[]];
      // Those of jobs have the prefix in braces. Each is removed by itself: in a Cluster they are in many slots.
      const own = keys.filter((key) => key.startsWith(`${prefix}:`) || key.startsWith(`{${prefix}}:`));
      await Promise.all(own.map((key) => control.call('UNLINK', key)));
      from = next;
    } while (from !== '0');
  }
}
