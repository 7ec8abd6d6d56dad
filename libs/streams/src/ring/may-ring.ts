import { type RedisConnection, RedisFailure, redisFailure } from '@millrace/redis';
import { partitionKeys } from '../keys.js';

/**
 * A script that may not ring says nothing of it, and members would wait: so it is tried where a topic is declared.
 *
 * @throws RedisFailure when Redis does not let this user ring in the topic's channels
 */
export async function assertMayRing(redis: RedisConnection, prefix: string, topic: string): Promise<void> {
  try {
    await redis.call('PUBLISH', partitionKeys(prefix, topic, 0).ring, '');
  } catch (thrown) {
    const { kind, message } = redisFailure(thrown, 'PUBLISH');
    if (!message.includes('NOPERM')) throw thrown;
    const advice =
      `Give the user +publish, +subscribe, +unsubscribe and the channels &${prefix}:*, by which members of groups are told of messages.`;
    throw new RedisFailure(kind, `Redis refuses this user the channels of topic '${topic}': ${message} ${advice}`, thrown);
  }
}
