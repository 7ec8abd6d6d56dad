/**
 * How long finished jobs are kept (seconds, and jobs a queue). Our workers remove older ones whenever they finish a job of that
 * queue in the same way; a job that other code enqueued with a retention of its own is kept by that. Idempotency does not
 * depend on it: a key has its own window.
 */
export const JOB_RETENTION = {
  /** One day, at most 10,000. */
  completed: { age: 86_400, count: 10_000 },
  /** 30 days, at most 100,000: these wait for an operator. */
  failed: { age: 30 * 86_400, count: 100_000 },
} as const;

/** Log lines and stack traces kept with a job. */
export const KEPT_LOGS = 100;
export const KEPT_STACKS = 10;
