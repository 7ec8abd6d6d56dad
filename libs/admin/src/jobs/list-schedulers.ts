import { parseOptions } from '@millrace/core';
import type { SchedulerRecord } from '@millrace/jobs';
import { isCount, partsOf, positionIn, questionOf } from '../page/cursor.js';
import { type Page, pageOf, PageOptions } from '../page/page.js';
import type { JobParts, QueueTarget } from './job-parts.js';

/**
 * The job schedulers of a queue: the one that runs next comes first. One that runs between two pages may be on both, or on none.
 *
 * @throws MillraceError INVALID_NAME, INVALID_OPTIONS, INVALID_CURSOR, UNKNOWN_JOB_QUEUE
 */
export async function listSchedulers(
  { queues }: JobParts,
  { queue: name }: QueueTarget,
  options: PageOptions = {},
): Promise<Page<SchedulerRecord>> {
  const { limit, cursor } = parseOptions(PageOptions, options, 'jobs.schedulers()');
  const question = questionOf('schedulers', name);
  const { from } = positionIn(cursor, question, isPosition) ?? { from: 0 };
  const items = await (await queues.open(name)).schedulers({ from, to: from + limit - 1 });
  const position = items.length < limit ? null : { from: from + items.length };
  return pageOf(items, { question, scanned: items.length, position });
}

function isPosition(value: unknown): value is { from: number } {
  return isCount(partsOf(value)?.['from']);
}
