import {
  decided, decoded, exponential, type InboxPort, MillraceError, type Outcome, outcomeOfFailure, quote, type RetryPolicy,
  runInTurn, type SqlTransaction, unknownPropertiesOf, withinLimit,
} from '@millrace/core';
import type { Job } from 'bullmq';
import type { ActiveJob } from './active-job.js';
import type { ActiveJobs } from './active-jobs.js';
import { JobContext } from './job-context.js';
import type { JobRegistration } from './job-registration.js';

/** The outcome of an attempt, with the result of its handler. */
export type JobOutcome = Outcome & { readonly result?: unknown };

/** One job that this process handles. */
export interface Attempt {
  readonly job: Job;
  readonly active: ActiveJob;
  readonly jobs: ActiveJobs;
}

/**
 * Puts the policies around a handler: validation, then the inbox, then the time limit, then the handler; what is thrown
 * becomes an outcome. An attempt that was given up meanwhile has none.
 */
export async function attemptJob(attempt: Attempt, registration: JobRegistration | undefined): Promise<JobOutcome> {
  const { job, active } = attempt;
  try {
    if (!registration) throw unknownJob(job);
    const where = `job '${job.name}' of queue '${job.queueName}'`;
    const { definition, unknownProperties, inbox } = registration;
    const place = { where, unknownProperties: unknownPropertiesOf(definition, unknownProperties) };
    const decoding = decoded(definition.payload, job.data, place);
    const payload = decoding instanceof Promise ? await decoding : decoding;
    const outcome: JobOutcome = inbox
      ? await inTurn(inbox, attempt, (transaction) => handle(registration, payload, { ...attempt, transaction }))
      : { kind: 'ack', result: await handle(registration, payload, attempt) };
    return decided(active, outcome);
  } catch (thrown) {
    return decided(active, outcomeOfFailure(policyOf(job, registration), job.attemptsMade + 1, thrown));
  }
}

type InTransaction = (transaction: SqlTransaction) => Promise<unknown>;

async function inTurn(inbox: InboxPort, { job, active }: Attempt, handler: InTransaction): Promise<JobOutcome> {
  const subscriber = `queue/${job.queueName}/${job.name}`;
  const turn = { inbox, subscriber, messageId: job.id ?? '', lease: active, paused: active.paused };
  const done = await runInTurn(turn, handler);
  if (done === 'goes-back') return { kind: 'release' };
  return done.duplicate ? { kind: 'ack', deduplicated: true } : { kind: 'ack', result: done.value };
}

/** The time limit stands inside the inbox, so that a handler that runs out of time is rolled back. */
function handle(
  { handle: call, timeoutMs = null }: JobRegistration,
  payload: object,
  { job, active, jobs, transaction }: Attempt & { readonly transaction?: SqlTransaction },
): Promise<unknown> {
  const given = (signal: { readonly signal: AbortSignal }): Promise<unknown> =>
    jobs.handle(active, () => call(payload, new JobContext(job, signal, transaction)));
  return timeoutMs === null ? given(active) : withinLimit(timeoutMs, active.signal, (signal) => given({ signal }));
}

/**
 * Takes the definition in the handler's code, not the one that was stored with the job. A job that no handler here knows keeps
 * its stored one: during a rolling release, its retries may reach a process that knows it.
 */
function policyOf(job: Job, registration: JobRegistration | undefined): RetryPolicy {
  const { attempts, backoff } = registration?.definition ?? {
    attempts: job.opts.attempts ?? 1,
    backoff: exponential('1s', { max: '5m' }),
  };
  return { attempts, backoff, deadLetterOn: [] };
}

function unknownJob(job: Job): MillraceError {
  return new MillraceError(
    'NOT_A_JOB',
    `Queue '${job.queueName}' holds a job named ${quote(job.name)}, which no handler of this process is for. It is kept among the failed ` +
      'jobs: add a @JobHandler for it to every process that works on this queue and retry it, or remove it.',
  );
}
