import type { JobLog, JobRecord, JobState } from '@millrace/jobs';

/** A job as operators see it. */
export interface JobView extends JobRecord {
  readonly queue: string;
  readonly state: JobState;
  /** A part of its log; null in lists. */
  readonly log: JobLog | null;
}

interface Place {
  readonly queue: string;
  readonly state: JobState;
  readonly log: JobLog | null;
}

/** Every job that is shown to an operator is made here. */
export function viewOf(record: JobRecord, { queue, state, log }: Place): JobView {
  return { queue, state, ...record, log };
}
