import { type Duration, durationMs, isDuration } from '@millrace/core';
import { CliError } from '../failure/cli-error.js';
import type { OperationOptions } from './operator.js';

const DEFAULT_LIMIT = 1_000;

/** How long an operation may take: some are asked to wait, or not to go faster than so many a second. */
export function timeLimitOf(requestMs: number, { within, rate, limit }: OperationOptions): number {
  const waiting = isDuration(within) ? durationMs(within) : 0;
  const paced = typeof rate === 'number' && rate > 0 ? ((typeof limit === 'number' ? limit : DEFAULT_LIMIT) / rate) * 1_000 : 0;
  return Math.min(requestMs + waiting + paced, 2 ** 31 - 1);
}

/** The time limit of requests when nothing else is said. */
export const REQUEST_TIMEOUT: Duration = '30s';

export function tooLate(operation: string, limitMs: number): CliError {
  return new CliError(
    'TIME_LIMIT',
    `${operation} gave no answer within ${Math.round(limitMs / 1_000)} s, so nobody knows whether it was done. Look first, then ask again, with a longer --request-timeout.`,
  );
}
