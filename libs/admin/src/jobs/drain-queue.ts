import { IsWholeNumber, parseOptions } from '@millrace/core';
import type { JobState, OperatedQueue } from '@millrace/jobs';
import { IsBoolean, IsOptional } from 'class-validator';
import type { Mutation, Observed } from '../mutate/mutation.js';
import { MutationOptions } from '../mutate/mutation-options.js';
import { actOnEach } from './job-round.js';
import type { JobParts, QueueTarget } from './job-parts.js';

/** Ids that are read at once. */
const A_PAGE = 500;

/** The options of `jobs.drain`. */
export class DrainQueueOptions extends MutationOptions {
  /** Jobs, too, that are not due yet, those that wait for another attempt included. Default false. */
  @IsOptional() @IsBoolean()
  delayed?: boolean = false;

  /** The most jobs that are removed in one call, 1 to 100,000. Default 10,000. Ask again for the rest. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 100_000 })
  limit?: number = 10_000;
}

export interface DrainImpact {
  /** Jobs that are removed, up to the limit. */
  readonly jobs: number;
  readonly waiting: number;
  readonly prioritized: number;
  /** 0 when they stay. */
  readonly delayed: number;
}

export interface QueueDrained {
  readonly removed: number;
  /** Jobs that are left: those beyond the limit, those that came meanwhile, and the next runs of schedulers. */
  readonly left: number;
  /** The failure that ended it before its end; null when it came to its end. */
  readonly failure: { readonly code: string | null; readonly message: string } | null;
}

interface Seen extends Observed<DrainImpact> {
  readonly queue: OperatedQueue;
}

/**
 * Removes the jobs of a queue that no worker has begun, the newest first, and with them the memory of their idempotency keys.
 * Finished jobs stay, as do the next runs of schedulers. It removes no more jobs than its dry run counted; which ones those are
 * is decided when it is done, since the queue goes on: pause it first, and stop whoever enqueues. A confirmation is stale when
 * the job that was the newest at its dry run is gone.
 *
 * @throws MillraceError INVALID_NAME, INVALID_OPTIONS, UNKNOWN_JOB_QUEUE, CONFIRMATION_REQUIRED, CONFIRMATION_STALE, AUDIT_FAILED
 */
export async function drainQueue(
  { queues, mutations }: JobParts,
  { queue: name }: QueueTarget,
  options: DrainQueueOptions,
): Promise<Mutation<DrainImpact, QueueDrained>> {
  const { delayed, limit, ...terms } = parseOptions(DrainQueueOptions, options, 'jobs.drain()');
  return mutations.run<DrainImpact, QueueDrained, Seen>(
    {
      name: 'jobs.drain', target: { queue: name }, terms: { delayed, limit }, isDestructive: true,
      observe: async (boundary) => {
        const queue = await queues.open(name);
        const counts = await countsOf(queue, delayed);
        const all = counts.waiting + counts.prioritized + counts.delayed;
        const states = statesOf(delayed);
        const seen = seenIn(boundary) ?? { jobs: Math.min(all, limit), newest: await newestOf(queue, states) };
        const jobs = Math.min(all, limit, seen.jobs);
        const state = await isThere(queue, states, seen.newest);
        return { queue, impact: { jobs, ...counts }, state, boundary: `${seen.jobs} ${seen.newest}` };
      },
      apply: ({ queue, impact }) => drain(queue, delayed, impact.jobs),
      isPartial: ({ failure }) => failure !== null,
    },
    terms,
  );
}

type Counts = Omit<DrainImpact, 'jobs'>;

async function countsOf(queue: OperatedQueue, withDelayed: boolean): Promise<Counts> {
  const { waiting, prioritized, delayed } = await queue.counts();
  return { waiting, prioritized, delayed: withDelayed ? delayed : 0 };
}

function statesOf(delayed: boolean): readonly JobState[] {
  return ['waiting', 'prioritized', ...(delayed ? (['delayed'] as const) : [])];
}

/** The queue as a dry run saw it. */
interface SeenQueue {
  readonly jobs: number;
  /** The id of the job that is removed first; '' for none. */
  readonly newest: string;
}

/** A confirmation is of a number of jobs, and holds while the queue goes on. */
function seenIn(boundary: string | null): SeenQueue | null {
  const [, jobs, newest] = /^(\d{1,6}) ([^\p{Cc}]{0,512})$/u.exec(boundary ?? '') ?? [];
  return jobs === undefined || newest === undefined ? null : { jobs: Number(jobs), newest };
}

async function newestOf(queue: OperatedQueue, states: readonly JobState[]): Promise<string> {
  for (const state of states) {
    const [id] = await queue.ids(state, { from: 0, to: 0, isOldestFirst: false });
    if (id !== undefined) return id;
  }
  return '';
}

/** The newest job goes first: where it is gone, the drain was done, so that the same confirmation does not do it again. */
async function isThere(queue: OperatedQueue, states: readonly JobState[], newest: string): Promise<boolean> {
  const current = newest === '' ? null : await queue.stateOf(newest);
  return newest === '' || (current !== null && states.includes(current));
}

async function drain(queue: OperatedQueue, delayed: boolean, most: number): Promise<QueueDrained> {
  let [removed, failure]: [number, QueueDrained['failure']] = [0, null];
  for (const state of statesOf(delayed)) {
    // Those that cannot be removed stay in their places.
    let kept = 0;
    while (removed < most && failure === null) {
      // The newest stand where Redis looks first for a job that it removes from a list.
      const to = kept + Math.min(A_PAGE, most - removed) - 1;
      const ids = await queue.ids(state, { from: kept, to, isOldestFirst: false });
      if (ids.length === 0) break;
      const { done, items, failure: reason } = await actOnEach(ids, (id) => queue.remove(id));
      removed += done;
      kept += items.filter(({ outcome }) => outcome === 'scheduled').length;
      failure = reason;
    }
  }
  const { waiting, prioritized, delayed: later } = await countsOf(queue, delayed);
  return { removed, left: waiting + prioritized + later, failure };
}
