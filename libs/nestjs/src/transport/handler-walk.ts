import { outcomeOfFailure, type RetryPolicy } from '@millrace/core';

/** The gravest last: one handler that is done, or gives up, says nothing about another that is to be tried again. */
const GRAVITY = ['ack', 'release', 'dead-letter', 'retry'];

/**
 * Resolves when all have ended well.
 *
 * @param policy decides, with the number of the attempt, which of several errors is thrown: one that is worth a retry goes first
 */
export async function walk(running: readonly Promise<unknown>[], policy: RetryPolicy, attempt: number): Promise<void> {
  const results = await Promise.allSettled(running);
  const errors = results.flatMap((result): unknown[] => (result.status === 'rejected' ? [result.reason] : []));
  if (errors.length === 0) return;
  const weights = errors.map((error) => GRAVITY.indexOf(errors.length === 1 ? 'retry' : outcomeOfFailure(policy, attempt, error).kind));
  throw errors[weights.indexOf(Math.max(...weights))];
}
