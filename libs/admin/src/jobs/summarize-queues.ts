import { asError, isMillraceError } from '@millrace/core';
import type { JobCounts, JobQueue } from '@millrace/jobs';

/** The queues that this process knows: a queue has no entry in Redis by which it could be found. */
export interface KnownQueues {
  readonly jobs: Pick<JobQueue, 'counts'>;
  readonly names: readonly string[];
}

/** A queue with its jobs by state. */
export interface QueueSummary {
  readonly queue: string;
  /** Null when they could not be counted: {@link problem} says why. */
  readonly counts: JobCounts | null;
  readonly problem: { readonly code: string | null; readonly message: string } | null;
}

/** Each queue with its jobs by state, by name. One that cannot be counted hides no other. */
export function summarizeQueues({ jobs, names }: KnownQueues): Promise<QueueSummary[]> {
  return Promise.all([...names].sort().map((queue) => summaryOf(jobs, queue)));
}

async function summaryOf(jobs: KnownQueues['jobs'], queue: string): Promise<QueueSummary> {
  try {
    return { queue, counts: await jobs.counts(queue), problem: null };
  } catch (thrown) {
    const error = asError(thrown);
    return { queue, counts: null, problem: { code: isMillraceError(error) ? error.code : null, message: error.message } };
  }
}
