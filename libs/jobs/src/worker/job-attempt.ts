import type { Attempt, MemoPort, SqlTransaction } from '@millrace/core';
import type { Job } from 'bullmq';
import type { ActiveJob } from './active-job.js';

/** One job on its way to its handler. */
export class JobAttempt implements Attempt {
  readonly job: Job;
  readonly active: ActiveJob;
  payload: unknown;
  limit: AbortSignal | undefined = undefined;
  transaction: SqlTransaction | undefined = undefined;

  memo: MemoPort | undefined = undefined;
  isOver = false;

  constructor(job: Job, active: ActiveJob) {
    this.job = job;
    this.active = active;
    this.payload = job.data;
  }

  get lease(): ActiveJob {
    return this.active;
  }

  get paused(): AbortSignal {
    return this.active.paused;
  }

  get number(): number {
    return this.job.attemptsMade + 1;
  }

  get signal(): AbortSignal {
    return this.limit ?? this.active.signal;
  }
}
