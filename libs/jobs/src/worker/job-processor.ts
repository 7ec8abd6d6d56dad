import { withDeadline } from '@millrace/redis';
import { type Job, type Processor, WaitingError } from 'bullmq';
import type { ActiveJobs } from './active-jobs.js';
import { attemptJob } from './attempt.js';
import type { JobRegistrations } from './job-registration.js';
import { settle } from './settle.js';

export interface ProcessorParts {
  readonly handlers: JobRegistrations;
  readonly active: ActiveJobs;
  readonly lockMs: number;
  /** Puts a job back to its queue, uncounted; it rejects when that cannot be done. */
  readonly putBack: (job: Job, token: string) => Promise<void>;
  /** Called when a job could not be given back. */
  readonly onFailed: (error: unknown) => void;
}

/** A worker's connection waits for Redis without an end; a transaction must not. */
const ASK_TIMEOUT_MS = 2_000;

/** The function that BullMQ calls with each job that it fetched. */
export function jobProcessor(parts: ProcessorParts): Processor {
  const { handlers, active: jobs, lockMs } = parts;
  return (job, token = '') => {
    const askForLock = (): Promise<boolean> => hasLock(job, token, lockMs);
    return jobs.with({ id: job.id ?? '', name: job.name, askForLock }, async (active) => {
      if (active.isGivenUp) return giveBack(parts, job, token);
      const attempt = attemptJob({ job, active, jobs }, handlers.get(job.name));
      const outcome = await Promise.race([attempt, active.revoked]);
      return outcome && outcome.kind !== 'release' ? settle(job, outcome) : giveBack(parts, job, token);
    });
  };
}

async function hasLock(job: Job, token: string, lockMs: number): Promise<boolean> {
  const extended = await withDeadline(job.extendLock(token, lockMs), ASK_TIMEOUT_MS, () => new Error('no answer'));
  return extended === 1;
}

/**
 * Puts a job to the front of the queue, without counting an attempt: another process begins it at once. A handler that ignores
 * its signal may still be running here. Redis refuses this when the job is another's by now; when Redis does not take it, the
 * lock ends by itself. Neither counts as a failed attempt.
 */
async function giveBack({ putBack, onFailed }: ProcessorParts, job: Job, token: string): Promise<never> {
  await putBack(job, token).catch(onFailed);
  throw new WaitingError();
}
