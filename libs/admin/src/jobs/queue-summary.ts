import { asError, isMillraceError } from '@millrace/core';
import type { JobStateCounts, OperatedQueue } from '@millrace/jobs';
import type { JobParts } from './job-parts.js';

/** A queue with its jobs by state. */
export interface QueueSummary {
  readonly queue: string;
  /** Whether its workers take no jobs until it is resumed. Null, as are the counts, when it cannot be read. */
  readonly paused: boolean | null;
  /** Finished jobs are counted as long as they are kept. */
  readonly counts: JobStateCounts | null;
  /** Its job schedulers. */
  readonly schedulers: number | null;
  /** Why it cannot be read; null when it can. */
  readonly problem: { readonly code: string | null; readonly message: string } | null;
}

export async function summaryOf(queue: OperatedQueue): Promise<QueueSummary> {
  const [paused, counts, schedulers] = await Promise.all([queue.isPaused(), queue.counts(), queue.schedulerCount()]);
  return { queue: queue.name, paused, counts, schedulers, problem: null };
}

/** One that cannot be read hides no other. */
export async function listedQueue({ queues }: Pick<JobParts, 'queues'>, name: string): Promise<QueueSummary> {
  try {
    return await summaryOf(await queues.open(name));
  } catch (thrown) {
    const error = asError(thrown);
    const problem = { code: isMillraceError(error) ? error.code : null, message: error.message };
    return { queue: name, paused: null, counts: null, schedulers: null, problem };
  }
}

/** @throws MillraceError INVALID_NAME, UNKNOWN_JOB_QUEUE, REDIS_UNREACHABLE, REDIS_FAILED */
export async function queueInfo({ queues }: JobParts, name: string): Promise<QueueSummary> {
  return summaryOf(await queues.open(name));
}
