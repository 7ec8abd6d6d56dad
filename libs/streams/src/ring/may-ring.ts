import { type RedisConnection, RedisFailure, redisFailure } from '@millrace/redis';
import { partitionKeys } from '../keys.js';

/**
 * Rings once where a topic is declared: a script that may not ring does not report that, and members would wait for it.
 *
 * @throws RedisFailure when Redis does not let this user ring in the topic's channels
 */
export async function assertMayRing(redis: RedisConnection, prefix: string, topic: string): Promise<void> {
  try {
    await redis.call('SPUBLISH', partitionKeys(prefix, topic, 0).ring, '');
  } catch (thrown) {
    const { kind, message } = redisFailure(thrown, 'SPUBLISH');
    if (!message.includes('NOPERM')) throw thrown;
    const advice =
      `Give the user +spublish, +ssubscribe, +sunsubscribe and the channels &${prefix}:*, over which members of groups learn of messages.`;
    throw new RedisFailure(kind, `Redis refuses this user the channels of topic '${topic}': ${message} ${advice}`, thrown);
  }
}
