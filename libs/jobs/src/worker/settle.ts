import { emit, type ErrorRecord, type OutcomeWithResult } from '@millrace/core';
import { type BackoffStrategy, type Job, UnrecoverableError } from 'bullmq';
import { JOB_RETENTION, KEPT_STACKS } from '../queue/retention.js';
import { storedResult } from './stored-result.js';

/** Any name that is not one of BullMQ's own makes it ask the worker's strategy. */
const OUR_BACKOFF = 'millrace';

/** The number of attempts of a job that gets one more: BullMQ compares it with those made. */
const ONE_MORE = 2;

/** The outcomes of a job that has begun; another job goes back to its queue instead. */
type Settled = Exclude<OutcomeWithResult, { kind: 'release' }>;

const KEEP = { stackTraceLimit: KEPT_STACKS };

/** Makes BullMQ try the job again after `delayMs`; BullMQ stores the error as the handler threw it. */
class AttemptFailed extends Error {
  constructor(readonly error: ErrorRecord, readonly delayMs: number) {
    super(error.message);
    this.name = error.name;
    this.stack = storedStack(error);
  }
}

/** Makes BullMQ move the job to the failed ones at once. */
class JobDeadLettered extends UnrecoverableError {
  constructor(error: ErrorRecord) {
    super(error.message);
    this.stack = storedStack(error);
  }
}

export const backoffStrategy: BackoffStrategy = (_attemptsMade, _type, error) =>
  error instanceof AttemptFailed ? error.delayMs : 0;

/**
 * Turns an outcome into the form that BullMQ understands: a return value completes the job, an error fails the attempt.
 *
 * @returns the job's return value, which BullMQ stores
 */
export function settle(job: Job, outcome: Settled): unknown {
  switch (outcome.kind) {
    case 'ack':
      return outcome.discarded ? 'discarded' : outcome.deduplicated ? 'deduplicated' : storedResult(job, outcome.result);
    case 'retry':
      report(job, outcome);
      job.opts = { ...job.opts, ...KEEP, attempts: job.attemptsMade + ONE_MORE, backoff: { type: OUR_BACKOFF } };
      throw new AttemptFailed(outcome.error, outcome.delayMs);
    case 'dead-letter':
      report(job, outcome);
      // Other code may have enqueued it with removeOnFail: a job that was given up is never lost.
      job.opts = { ...job.opts, ...KEEP, removeOnFail: JOB_RETENTION.failed };
      throw new JobDeadLettered(outcome.error);
  }
}

/** BullMQ stores text alone, so the other parts of the error stand behind its stack. */
function storedStack(error: ErrorRecord): string {
  const carried = carriedBy(error);
  return [error.stack ?? error.message, ...(carried ? [`Details: ${JSON.stringify(carried)}`] : [])].join('\n');
}

function carriedBy({ status, response, errors, cause }: ErrorRecord): object | null {
  const beneath = cause ? carriedBy(cause) : null;
  const carried = { status, response, errors, ...(beneath ? { cause: beneath } : {}) };
  return Object.values(carried).some((part) => part !== undefined) ? carried : null;
}

function report(job: Job, outcome: Exclude<Settled, { kind: 'ack' }>): void {
  const { error, kind } = outcome;
  const place = { queue: job.queueName, messageId: job.id ?? '', attempt: job.attemptsMade + 1 };
  emit('attempt-failed', { ...place, error, outcome: kind, ...(outcome.kind === 'retry' ? { delayMs: outcome.delayMs } : {}) });
}
