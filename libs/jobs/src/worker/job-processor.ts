import { type Job, type Processor, WaitingError } from 'bullmq';
import type { ActiveJobs } from './active-jobs.js';
import { attemptJob } from './attempt.js';
import type { JobRegistrations } from './job-registration.js';
import { settle } from './settle.js';

/** What BullMQ calls with each job it fetched. */
export function jobProcessor(handlers: JobRegistrations, jobs: ActiveJobs): Processor {
  return (job, token) =>
    jobs.with(job.id ?? '', async (active) => {
      if (active.isRevoked) return giveBack(job, token);
      const outcome = await Promise.race([attemptJob(job, handlers.get(job.name), active), active.revoked]);
      return outcome && outcome.kind !== 'release' ? settle(job, outcome) : giveBack(job, token);
    });
}

/**
 * To the front of the queue, without counting an attempt: another process begins it at once. A handler that ignores its
 * signal may still be running here.
 */
async function giveBack(job: Job, token: string | undefined): Promise<never> {
  await job.moveToWait(token);
  throw new WaitingError();
}
