import { IsWholeNumber, parseOptions } from '@millrace/core';
import { IsOptional } from 'class-validator';
import type { JobParts, JobTarget } from './job-parts.js';
import { assertJobId } from './job-selection.js';
import { type JobView, viewOf } from './job-view.js';

/** The options of `jobs.get`. */
export class GetJobOptions {
  /** The first line of the log, from 0 on. Default 0. */
  @IsOptional() @IsWholeNumber({ min: 0 })
  logFrom?: number = 0;

  /** Lines of the log at the most, 1 to 500. Default 100. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 500 })
  logLines?: number = 100;
}

/**
 * One job with a part of its log; null when it is not there (any more).
 *
 * @throws MillraceError INVALID_NAME, INVALID_OPTIONS, UNKNOWN_JOB_QUEUE
 */
export async function getJob(
  { queues, mask }: JobParts,
  { queue: name, job }: JobTarget,
  options: GetJobOptions = {},
): Promise<JobView | null> {
  const { logFrom: from, logLines } = parseOptions(GetJobOptions, options, 'jobs.get()');
  assertJobId(job, 'jobs.get()');
  const queue = await queues.open(name);
  const [state, record] = [await queue.stateOf(job), await queue.job(job)];
  const log = await queue.log(job, { from, to: from + logLines - 1 });
  return state === null || record === null ? null : mask.job(viewOf(record, { queue: name, state, log }));
}
