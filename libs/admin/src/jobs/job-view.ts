import type { JobLog, JobRecord, JobState } from '@millrace/jobs';

type Own = 'data' | 'options' | 'progress' | 'idempotencyKey' | 'error' | 'stacks' | 'result';

/** A job as operators see it. */
export interface JobView extends Omit<JobRecord, Own> {
  readonly queue: string;
  readonly state: JobState;
  readonly data: JobRecord['data'];
  /** As BullMQ stored them; null when they are hidden. */
  readonly options: JobRecord['options'] | null;
  readonly idempotencyKey: string | null;
  /** A number, or anything that the handler set; null when it is hidden. */
  readonly progress: JobRecord['progress'];
  /** The message of its last failure; null for none, and when it is hidden. */
  readonly error: string | null;
  /** Those of the last attempts that failed, the newest one last; null when they are hidden. */
  readonly stacks: readonly string[] | null;
  readonly result: JobRecord['result'];
  /** A part of its log; null in lists, and when it is hidden. */
  readonly log: JobLog | null;
  /** Whether the asker may not see its data, and all that may quote them: they are null then. */
  readonly hidden: boolean;
  /** The parts with `[redacted]` in their place: `data.card.number`. Items of lists have the path of their list. */
  readonly redacted: readonly string[];
}

interface Place {
  readonly queue: string;
  readonly state: JobState;
  readonly log: JobLog | null;
}

/** Every job that is shown to an operator is made here; a mask makes of it what they may see. */
export function viewOf(record: JobRecord, { queue, state, log }: Place): JobView {
  return { queue, state, ...record, log, hidden: false, redacted: [] };
}
