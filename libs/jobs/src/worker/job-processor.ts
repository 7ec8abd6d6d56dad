import { eventChannel, handledAs, type Outcome } from '@millrace/core';
import { withDeadline } from '@millrace/redis';
import { DelayedError, type Job, type Processor, WaitingError } from 'bullmq';
import type { ActiveJobs } from './active-jobs.js';
import { JobAttempt } from './job-attempt.js';
import { jobPipeline, unknownJobs } from './job-pipeline.js';
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

const HANDLED = eventChannel('job-handled');
/** A worker's connection waits for Redis without an end; a transaction must not. */
const ASK_TIMEOUT_MS = 2_000;

/** The function that BullMQ calls with each job that it fetched. */
export function jobProcessor(parts: ProcessorParts): Processor {
  const { active: jobs, lockMs } = parts;
  const pipelines = new Map([...parts.handlers].map(([name, registration]) => [name, jobPipeline(registration, jobs)]));
  return async (job, token = '') => {
    const active = jobs.begin({ id: job.id ?? '', name: job.name, askForLock: () => hasLock(job, token, lockMs) });
    try {
      if (active.isGivenUp) return await giveBack(parts, job, token);
      const decide = pipelines.get(job.name) ?? unknownJobs;
      const begunAtMs = HANDLED.hasSubscribers ? performance.now() : 0;
      const outcome = await active.until(decide(new JobAttempt(job, active)));
      if (outcome && begunAtMs > 0) tellHandled(job, outcome, begunAtMs);
      if (outcome && outcome.kind !== 'release') return settle(job, outcome);
      return outcome?.delayMs === undefined ? await giveBack(parts, job, token) : await comeLater(parts, { job, token, outcome });
    } finally {
      jobs.end(active);
    }
  };
}

function tellHandled(job: Job, outcome: Outcome, begunAtMs: number): void {
  const times = { durationMs: performance.now() - begunAtMs, ageMs: Math.max(0, Date.now() - job.timestamp) };
  HANDLED.publish({ queue: job.queueName, job: job.name, attempt: job.attemptsMade + 1, ...handledAs(outcome), ...times });
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

interface Later {
  readonly job: Job;
  readonly token: string;
  readonly outcome: Extract<Outcome, { kind: 'release' }>;
}

/** Has a job come again after a while, without counting an attempt: its work is in progress elsewhere. */
async function comeLater({ onFailed }: ProcessorParts, { job, token, outcome: { delayMs = 0 } }: Later): Promise<never> {
  await job.moveToDelayed(Date.now() + delayMs, token).catch(onFailed);
  throw new DelayedError();
}
