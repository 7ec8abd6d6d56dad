import { asError, messageOf } from '@millrace/core';
import { ErrorCode } from 'bullmq';

/**
 * The meaning of an error event of BullMQ's worker:
 * - `fenced`: a settlement was refused, because the job is not this worker's any more.
 * - `lock-lost`: reported by `lockRenewalFailed` as well.
 * - `failed`: the worker could not fetch, renew or settle.
 */
export type WorkerFailure =
  | { readonly kind: 'fenced'; readonly jobId: string }
  | { readonly kind: 'lock-lost' }
  | { readonly kind: 'failed'; readonly error: Error };

const REFUSED: ReadonlySet<unknown> = new Set([
  ErrorCode.JobNotExist,
  ErrorCode.JobLockNotExist,
  ErrorCode.JobNotInState,
  ErrorCode.JobLockMismatch,
]);

/** The one place that reads the texts of BullMQ's errors. */
export function workerFailure(thrown: unknown): WorkerFailure {
  const error: Error & { code?: unknown } = asError(thrown);
  const { code } = error;
  const message = messageOf(error);
  if (REFUSED.has(code)) return { kind: 'fenced', jobId: /\bjob (\S+?)(?:\.| is not)/i.exec(message)?.[1] ?? 'unknown' };
  if (message.startsWith('could not renew lock')) return { kind: 'lock-lost' };
  // An error of ioredis carries the command's arguments, payloads among them: only its text is kept.
  return { kind: 'failed', error: new Error(message) };
}
