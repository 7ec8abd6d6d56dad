import { parseOptions } from '@millrace/core';
import type { JobStateCounts, OperatedQueue } from '@millrace/jobs';
import type { Mutation, Observed } from '../mutate/mutation.js';
import { MutationOptions } from '../mutate/mutation-options.js';
import type { JobParts, QueueTarget } from './job-parts.js';

export interface QueuePauseImpact {
  /** Whether it is paused before. */
  readonly paused: boolean;
  readonly counts: JobStateCounts;
}

export interface QueuePaused {
  /** False when it was so already. */
  readonly changed: boolean;
  /** Jobs that workers had when it was done: they end. */
  readonly active: number;
}

interface Seen extends Observed<QueuePauseImpact> {
  readonly queue: OperatedQueue;
}

type PauseChanged = Promise<Mutation<QueuePauseImpact, QueuePaused>>;

/**
 * Lets the workers of a queue take no more jobs, in all processes, until it is resumed. Jobs that they have go on, and others may
 * be enqueued.
 *
 * @throws MillraceError INVALID_NAME, INVALID_OPTIONS, UNKNOWN_JOB_QUEUE, AUDIT_FAILED
 */
export async function pauseQueue(parts: JobParts, target: QueueTarget, options: MutationOptions): PauseChanged {
  return change(parts, target, { name: 'jobs.pause', options, paused: true });
}

/** Ends the pause of a queue. @throws MillraceError as {@link pauseQueue} */
export async function resumeQueue(parts: JobParts, target: QueueTarget, options: MutationOptions): PauseChanged {
  return change(parts, target, { name: 'jobs.resume', options, paused: false });
}

interface Change {
  readonly name: string;
  readonly options: MutationOptions;
  readonly paused: boolean;
}

function change({ queues, mutations }: JobParts, { queue: name }: QueueTarget, wanted: Change): PauseChanged {
  const { name: operation, options, paused } = wanted;
  const terms = parseOptions(MutationOptions, options, `${operation}()`);
  return mutations.run<QueuePauseImpact, QueuePaused, Seen>(
    {
      name: operation, target: { queue: name }, terms: {}, isDestructive: false,
      observe: async () => {
        const queue = await queues.open(name);
        return { queue, impact: { paused: await queue.isPaused(), counts: await queue.counts() } };
      },
      apply: async ({ queue, impact }) => {
        await (paused ? queue.pause() : queue.resume());
        return { changed: impact.paused !== paused, active: (await queue.counts()).active };
      },
    },
    terms,
  );
}
