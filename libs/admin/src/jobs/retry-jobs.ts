import { parseOptions } from '@millrace/core';
import type { JobState, OperatedQueue } from '@millrace/jobs';
import type { Mutation } from '../mutate/mutation.js';
import type { JobParts, QueueTarget } from './job-parts.js';
import { actOnEach, type JobsActedOn } from './job-round.js';
import { assertOneWay, JobSelectionOptions, type SeenJobs, type SelectedJobs, selectJobs } from './job-selection.js';

type JobsMoved = Promise<Mutation<SelectedJobs, JobsActedOn>>;

/**
 * Has failed jobs done again, as if they had never been tried. All of them need the confirmation of a dry run; with ids none is
 * needed.
 *
 * @throws MillraceError INVALID_NAME, INVALID_OPTIONS, UNKNOWN_JOB_QUEUE, CONFIRMATION_REQUIRED, CONFIRMATION_STALE, AUDIT_FAILED
 */
export async function retryJobs(parts: JobParts, target: QueueTarget, options: JobSelectionOptions): JobsMoved {
  return move(parts, target, { name: 'jobs.retry', options, state: 'failed', act: (queue, id) => queue.retry(id) });
}

/**
 * Makes delayed jobs due at once, those that wait for another attempt included. Otherwise as {@link retryJobs}.
 *
 * @throws MillraceError INVALID_NAME, INVALID_OPTIONS, UNKNOWN_JOB_QUEUE, CONFIRMATION_REQUIRED, CONFIRMATION_STALE, AUDIT_FAILED
 */
export async function promoteJobs(parts: JobParts, target: QueueTarget, options: JobSelectionOptions): JobsMoved {
  return move(parts, target, { name: 'jobs.promote', options, state: 'delayed', act: (queue, id) => queue.promote(id) });
}

interface Move {
  readonly name: string;
  readonly options: JobSelectionOptions;
  /** The state of the jobs that it is for. */
  readonly state: JobState;
  readonly act: (queue: OperatedQueue, id: string) => ReturnType<OperatedQueue['retry']>;
}

function move({ queues, mutations }: JobParts, { queue: name }: QueueTarget, wanted: Move): JobsMoved {
  const { name: operation, options, state, act } = wanted;
  const { ids, all, limit, ...terms }: JobSelectionOptions = parseOptions(JobSelectionOptions, options, `${operation}()`);
  const selection = { ids, all, limit };
  assertOneWay(selection, `${operation}()`);
  return mutations.run<SelectedJobs, JobsActedOn, SeenJobs>(
    {
      name: operation, target: { queue: name }, terms: selection, isDestructive: ids === undefined,
      observe: async (boundary) => selectJobs(await queues.open(name), { state, selection, boundary }),
      apply: (seen) => actOnEach(seen.ids, (id) => act(seen.queue, id)),
      isPartial: ({ done, items }) => done < items.length,
    },
    terms,
  );
}
