import { redisFailure } from '@millrace/redis';

const FAILED = 'FAILED ';

/**
 * The reply for one partition, of a script that works on several.
 *
 * @throws RedisFailure when the script failed for this partition
 */
export function turnOf<T>(reply: T, script: string): T {
  if (typeof reply !== 'string' || !reply.startsWith(FAILED)) return reply;
  throw redisFailure(new Error(reply.slice(FAILED.length)), script);
}

/**
 * Resolves with all results once all promises have settled: a failure does not stop the others.
 *
 * @throws the error of the first promise that failed
 */
export async function allTurns<T>(turns: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(turns);
  return Promise.all(turns);
}
