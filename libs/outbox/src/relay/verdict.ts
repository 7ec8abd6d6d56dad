import { backoffDelayMs, type CurveBackoff, type ErrorCode, isMillraceError } from '@millrace/core';

/**
 * The fate of a row that was not published:
 *
 * - `held`: it is not the row's fault, as when Redis is away. It stays as it is, and no attempt is counted.
 * - `retry`: it is tried again later, and its key waits for it.
 * - `dead`: no attempt can mend it, or it has had all of them. Its key goes on.
 */
export type Verdict = { readonly fate: 'held' } | { readonly fate: 'retry'; readonly inMs: number } | { readonly fate: 'dead' };

export interface AttemptRule {
  readonly attempts: number;
  readonly backoff: CurveBackoff;
}

/** The row itself is refused, and would be again. */
const FINAL: ReadonlySet<ErrorCode> = new Set([
  'INVALID_OPTIONS', 'INVALID_NAME', 'INVALID_PAYLOAD', 'UNSERIALIZABLE_PAYLOAD', 'PAYLOAD_TOO_LARGE', 'INVALID_HEADERS', 'INVALID_INPUT',
  'IDEMPOTENCY_MISMATCH', 'MALFORMED_ENVELOPE',
]);

/** @param failures attempts of the row that have failed, this one included */
export function verdictOn(error: Error, failures: number, { attempts, backoff }: AttemptRule): Verdict {
  if (isMillraceError(error)) {
    if (error.retryable || error.code === 'CLOSED') return { fate: 'held' };
    if (FINAL.has(error.code)) return { fate: 'dead' };
  }
  return failures >= attempts ? { fate: 'dead' } : { fate: 'retry', inMs: backoffDelayMs(backoff, failures) };
}
