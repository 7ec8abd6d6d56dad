import { redisFailure } from '@millrace/redis';

const FAILED = 'FAILED ';

/**
 * A reply of a script that looks after several partitions, for one of them.
 *
 * @throws RedisFailure when the script says that this one failed
 */
export function turnOf<T>(reply: T, script: string): T {
  if (typeof reply !== 'string' || !reply.startsWith(FAILED)) return reply;
  throw redisFailure(new Error(reply.slice(FAILED.length)), script);
}

/**
 * Resolves with what all of them give, once all have ended: one that fails keeps no other from its turn.
 *
 * @throws the error of the first one that failed
 */
export async function allTurns<T>(turns: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(turns);
  return Promise.all(turns);
}
