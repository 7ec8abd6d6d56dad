import { IsOneOf, parseOptions } from '@millrace/core';
import type { JobState } from '@millrace/jobs';
import { IsOptional } from 'class-validator';
import { isCount, partsOf, positionIn, questionOf } from '../page/cursor.js';
import { type Page, pageOf, PageOptions } from '../page/page.js';
import type { JobParts, QueueTarget } from './job-parts.js';
import { type JobView, viewOf } from './job-view.js';

/** The states that can be asked for: those of `@millrace/jobs`, which loads BullMQ. */
const STATES: readonly JobState[] = ['waiting', 'prioritized', 'active', 'delayed', 'waiting-children', 'completed', 'failed'];

/** A page ends early when its jobs are larger than this together. */
const MOST_BYTES = 4_000_000;

/** The options of `jobs.browse`. */
export class BrowseJobsOptions extends PageOptions {
  /** One of `waiting prioritized active delayed waiting-children completed failed`. Default `'failed'`. */
  @IsOptional() @IsOneOf(STATES)
  state?: JobState = 'failed';
}

/**
 * The jobs of a queue in one state: those that come next come first, and of finished ones the newest. A queue goes on meanwhile:
 * between two pages a job may move to the place of another one, and be on both, or on none.
 *
 * @throws MillraceError INVALID_NAME, INVALID_OPTIONS, INVALID_CURSOR, UNKNOWN_JOB_QUEUE
 */
export async function browseJobs(
  { queues, mask }: JobParts,
  { queue: name }: QueueTarget,
  options: BrowseJobsOptions = {},
): Promise<Page<JobView>> {
  const parsed: BrowseJobsOptions = parseOptions(BrowseJobsOptions, options, 'jobs.browse()');
  const [state, limit] = [parsed.state!, parsed.limit!];
  const question = questionOf('jobs', name, state);
  const { from } = positionIn(parsed.cursor, question, isPosition) ?? { from: 0 };
  const queue = await queues.open(name);
  const ids = await queue.ids(state, { from, to: from + limit - 1 });
  const { records, read } = await queue.jobs(ids, MOST_BYTES);
  const isEnd = read === ids.length && ids.length < limit;
  const items = records.map((record) => mask.job(viewOf(record, { queue: name, state, log: null })));
  return pageOf(items, { question, scanned: read, position: isEnd ? null : { from: from + read } });
}

function isPosition(value: unknown): value is { from: number } {
  return isCount(partsOf(value)?.['from']);
}
