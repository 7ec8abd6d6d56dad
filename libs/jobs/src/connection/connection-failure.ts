import { RedisFailure, redisFailure } from '@millrace/redis';

export interface MissingConnection {
  /** The queue or the worker: `The worker of queue 'emails'`. */
  readonly whose: string;
  /** The rest of the sentence, where nothing says that Redis refuses it. */
  readonly absent: string;
  readonly advice: string;
  /** The message of the last error; null when there was none. */
  readonly reason: string | null;
}

/** The error of a queue or a worker that has no connection, by what the last attempt met. */
export function connectionFailure({ whose, absent, advice, reason }: MissingConnection): RedisFailure {
  const cause = reason === null ? undefined : new Error(reason);
  if (reason !== null && redisFailure(cause, 'Connecting').kind === 'fatal') {
    const refused = `Redis refuses the connection: ${reason}. Check the user, its password and its permissions.`;
    return new RedisFailure('fatal', `${whose} cannot be used: ${refused}`, cause);
  }
  const why = reason === null ? '' : ` The last attempt to connect said: ${reason}.`;
  return new RedisFailure('unsent', `${whose} ${absent}.${why} ${advice}`, cause);
}
