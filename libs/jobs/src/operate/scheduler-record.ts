import type { JobSchedulerJson } from 'bullmq';

/** A job scheduler of BullMQ: it enqueues a job again and again. */
export interface SchedulerRecord {
  readonly key: string;
  /** The name of its jobs. */
  readonly job: string;
  /** The times at which it runs, as cron has them; null when it runs every so often. */
  readonly pattern: string | null;
  readonly everyMs: number | null;
  /** The one that the pattern goes by; null: that of the process that adds the next job. */
  readonly timezone: string | null;
  readonly nextAt: Date | null;
  /** By its period; null where it goes by a pattern, or has not run yet. */
  readonly lastAt: Date | null;
  /** Jobs that it has made. */
  readonly made: number;
  readonly limit: number | null;
  readonly endsAt: Date | null;
}

export function schedulerRecordOf(scheduler: JobSchedulerJson): SchedulerRecord {
  const { key, name, pattern = null, every = null, tz = null, next, iterationCount = 0, limit = null, endDate } = scheduler;
  const nextAt = dateOf(next);
  const hasRun = nextAt !== null && every !== null && iterationCount > 1;
  const lastAt = hasRun ? new Date(nextAt.getTime() - every) : null;
  const rhythm = { pattern, everyMs: every, timezone: tz, nextAt, lastAt };
  return { key, job: name, ...rhythm, made: iterationCount, limit, endsAt: dateOf(endDate) };
}

function dateOf(moment: number | undefined): Date | null {
  return moment === undefined ? null : new Date(moment);
}
