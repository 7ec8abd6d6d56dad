import type { Attempt } from './attempt.js';
import type { Middleware } from './chain.js';
import { withinLimit } from './time-limit.js';

/**
 * Ends an attempt that takes too long. It stands inside the inbox, so that what runs out of time is rolled back.
 *
 * @param timeoutMs null for no limit
 * @param signalOf the signal that ends an attempt without a limit
 */
export function timing<A extends Pick<Attempt, 'limit'>>(timeoutMs: number | null, signalOf: (attempt: A) => AbortSignal): Middleware<A> {
  if (timeoutMs === null) return (next) => next;
  return (next) => (attempt) =>
    withinLimit(timeoutMs, signalOf(attempt), (signal) => {
      attempt.limit = signal;
      return next(attempt);
    });
}
