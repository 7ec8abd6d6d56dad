import { createHash } from 'node:crypto';
import { IsWholeNumber, MillraceError } from '@millrace/core';
import type { JobOutcome, JobState, OperatedQueue } from '@millrace/jobs';
import { IsBoolean, IsOptional } from 'class-validator';
import { AreIds } from '../input/are-ids.js';
import type { Observed } from '../mutate/mutation.js';
import { MutationOptions } from '../mutate/mutation-options.js';

/** Ids of jobs that other code than Millrace enqueued may have anything in them. */
const JOB_ID = /^[^\p{Cc}]{1,512}$/u;

/** Ids that are read at once. */
const A_PAGE = 500;

/** The jobs that an action is about: one of `ids` and `all`. */
export class JobSelectionOptions extends MutationOptions {
  /** Ids, 1 to 1,000. */
  @IsOptional() @AreIds(JOB_ID, 'ids must be a list of 1 to 1,000 ids of jobs: texts of 1 to 512 characters')
  ids?: readonly string[];

  /** All jobs that are in the state which the action is for. */
  @IsOptional() @IsBoolean()
  all?: boolean;

  /** The most of them in one call, those first that came first, 1 to 10,000. Default 1,000. Ask again for the rest. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 10_000 })
  limit?: number = 1_000;
}

export interface SelectedJobs {
  /** Jobs that are selected, up to the limit. */
  readonly jobs: number;
  /** Jobs that are in the state which the action is for. */
  readonly inState: number;
}

/** The selected jobs at a moment. */
export interface SeenJobs extends Observed<SelectedJobs> {
  readonly queue: OperatedQueue;
  readonly ids: readonly string[];
}

/** The end of the action on one job. `failed`: nobody knows whether it was done; `not tried`: one before it failed so. */
export interface JobItem {
  readonly id: string;
  readonly outcome: JobOutcome | 'failed' | 'not tried';
}

type Selection = Pick<JobSelectionOptions, 'ids' | 'all' | 'limit'>;

/** @throws MillraceError INVALID_OPTIONS unless exactly one of the ways to select is given */
export function assertOneWay({ ids, all }: Selection, where: string): void {
  if ((ids !== undefined) !== (all === true)) return;
  throw new MillraceError('INVALID_OPTIONS', `${where}: say which jobs are meant: ids or all: true, and one of them alone.`);
}

/** @throws MillraceError INVALID_OPTIONS */
export function assertJobId(id: unknown, where: string): void {
  if (typeof id === 'string' && JOB_ID.test(id)) return;
  throw new MillraceError('INVALID_OPTIONS', `${where}: the id of a job is a text of 1 to 512 characters.`);
}

interface Wanted {
  readonly state: JobState;
  readonly selection: Selection;
  /** That of a confirmation: as many jobs as its dry run found. */
  readonly boundary: string | null;
}

/**
 * Finds the selected jobs, the oldest first. Those that came after the dry run are not among them, and leave its confirmation as
 * it is; one that is gone, or that came before them, makes it stale.
 */
export async function selectJobs(queue: OperatedQueue, { state, selection, boundary }: Wanted): Promise<SeenJobs> {
  const { [state]: inState } = await queue.counts();
  if (selection.ids !== undefined) {
    const ids = [...new Set(selection.ids)];
    return { queue, ids, impact: { jobs: ids.length, inState }, state: ids };
  }
  const most = Math.min(selection.limit!, boundary !== null && /^\d{1,5}$/.test(boundary) ? Number(boundary) : Infinity);
  const ids: string[] = [];
  for (let isMore = true; isMore && ids.length < most; ) {
    const to = Math.min(ids.length + A_PAGE, most) - 1;
    const found = await queue.ids(state, { from: ids.length, to, isOldestFirst: true });
    isMore = found.length > 0;
    ids.push(...found);
  }
  const digest = createHash('sha256').update(JSON.stringify(ids)).digest('hex');
  return { queue, ids, impact: { jobs: ids.length, inState }, state: [ids.length, digest], boundary: `${ids.length}` };
}
