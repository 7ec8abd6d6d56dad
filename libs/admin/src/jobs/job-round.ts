import { asError, isMillraceError } from '@millrace/core';
import type { JobOutcome } from '@millrace/jobs';
import type { JobItem } from './job-selection.js';

/** Jobs that are acted on side by side. */
const A_STEP = 25;

/** An action on some jobs, at its end. */
export interface JobsActedOn {
  readonly done: number;
  /** By job. */
  readonly items: readonly JobItem[];
  /** The failure that ended it before its end; null when it came to its end. */
  readonly failure: { readonly code: string | null; readonly message: string } | null;
}

/** Acts on job after job, in steps, until one of them fails for a reason that is not its own. */
export async function actOnEach(ids: readonly string[], act: (id: string) => Promise<JobOutcome>): Promise<JobsActedOn> {
  const outcomes = new Map<string, JobItem['outcome']>(ids.map((id) => [id, 'not tried']));
  let failure: JobsActedOn['failure'] = null;
  const actOn = async (id: string): Promise<void> => {
    try {
      outcomes.set(id, await act(id));
    } catch (thrown) {
      const error = asError(thrown);
      outcomes.set(id, 'failed');
      failure ??= { code: isMillraceError(error) ? error.code : null, message: error.message };
    }
  };
  for (let from = 0; from < ids.length && failure === null; from += A_STEP) {
    await Promise.all(ids.slice(from, from + A_STEP).map(actOn));
  }
  const items = [...outcomes].map(([id, outcome]) => ({ id, outcome }));
  const done = items.filter(({ outcome }) => outcome === 'done').length;
  return { done, items, failure };
}
