import { MillraceError } from '@millrace/core';
import { type RedisConnection, RedisFailure, redisFailure, type RedisFailureKind } from '@millrace/redis';
import { isFinal } from '../publish/answer.js';
import { pauses, untilWorthIt } from '../publish/pace.js';

/** The result of a try that is to be made again. */
export const AGAIN = Symbol('again');

/** It may have been executed, or was, and is not as durable as it is to be. */
const IN_DOUBT: ReadonlySet<RedisFailureKind> = new Set(['indeterminate', 'unconfirmed']);

export interface TriesParts {
  /** Deadline, by the monotonic clock, in milliseconds. */
  readonly giveUpAt: () => number;
  /** The connection that is tried. */
  readonly redis: () => RedisConnection;
  /** @param inDoubt whether one of the tries may have been executed, as it was not answered */
  readonly late: (cause: MillraceError | undefined, inDoubt: boolean) => Error;
  /** The error of a try that Redis refuses for good, after one that may have been executed. */
  readonly doubted: (cause: MillraceError) => Error;
}

/**
 * Tries until there is a result, or the time is up: each try may be repeated.
 *
 * @throws whatever another try would not mend
 */
export async function tried<T>(parts: TriesParts, attempt: () => Promise<T | typeof AGAIN>): Promise<T> {
  const { giveUpAt, redis, late, doubted } = parts;
  let [failure, inDoubt]: [MillraceError | undefined, boolean] = [undefined, false];
  for (const pauseMs of pauses()) {
    try {
      const result = await attempt();
      if (result !== AGAIN) return result;
    } catch (thrown) {
      failure = thrown instanceof MillraceError ? thrown : redisFailure(thrown, 'half message');
      if (isFinal(failure)) throw inDoubt && failure instanceof RedisFailure ? doubted(failure) : failure;
      inDoubt ||= failure instanceof RedisFailure && IN_DOUBT.has(failure.kind);
    }
    if (performance.now() + pauseMs > giveUpAt()) throw late(failure, inDoubt);
    await untilWorthIt(redis(), pauseMs);
  }
  throw late(failure, inDoubt);
}
