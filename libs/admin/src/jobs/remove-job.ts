import { parseOptions } from '@millrace/core';
import type { JobOutcome, JobState, OperatedQueue } from '@millrace/jobs';
import type { Mutation, Observed } from '../mutate/mutation.js';
import { MutationOptions } from '../mutate/mutation-options.js';
import type { JobParts, JobTarget } from './job-parts.js';
import { assertJobId } from './job-selection.js';

export interface JobRemoval {
  /** Its name; null when it is not there. */
  readonly name: string | null;
  readonly state: JobState | null;
}

export interface JobRemoved {
  /** `held`: a worker has it; `scheduled`: it is the next run of a scheduler; `missing`: it is not there. All others stay. */
  readonly outcome: JobOutcome;
}

interface Seen extends Observed<JobRemoval> {
  readonly queue: OperatedQueue;
}

/**
 * Removes a job that no worker has, and with it the memory of its idempotency key. Jobs that it is the parent of stay.
 *
 * @throws MillraceError INVALID_NAME, INVALID_OPTIONS, UNKNOWN_JOB_QUEUE, CONFIRMATION_REQUIRED, CONFIRMATION_STALE, AUDIT_FAILED
 */
export async function removeJob(
  { queues, mutations }: JobParts,
  { queue: name, job }: JobTarget,
  options: MutationOptions,
): Promise<Mutation<JobRemoval, JobRemoved>> {
  const terms = parseOptions(MutationOptions, options, 'jobs.remove()');
  assertJobId(job, 'jobs.remove()');
  return mutations.run<JobRemoval, JobRemoved, Seen>(
    {
      name: 'jobs.remove', target: { queue: name, job }, terms: {}, isDestructive: true,
      observe: async () => {
        const queue = await queues.open(name);
        const [state, record] = [await queue.stateOf(job), await queue.job(job)];
        return { queue, impact: { name: record?.name ?? null, state } };
      },
      apply: async ({ queue }) => ({ outcome: await queue.remove(job) }),
      isPartial: ({ outcome }) => outcome !== 'done',
    },
    terms,
  );
}
