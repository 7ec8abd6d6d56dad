import {
  decided, decoded, exponential, type InboxPort, MillraceError, type Outcome, outcomeOfFailure, type PayloadPlace, quote,
  type RetryPolicy, runInTurn, type SqlTransaction, unknownPropertiesOf, withinLimit,
} from '@millrace/core';
import type { Job } from 'bullmq';
import type { ActiveJob } from './active-job.js';
import type { ActiveJobs } from './active-jobs.js';
import { JobContext } from './job-context.js';
import type { JobRegistration } from './job-registration.js';

/** The outcome of an attempt, with the result of its handler. */
export type JobOutcome = Outcome & { readonly result?: unknown };

/** A registration with the place of its payloads, for errors. */
export interface PlacedRegistration extends JobRegistration {
  readonly place: PayloadPlace;
}

export function placed(registration: JobRegistration): PlacedRegistration {
  const { definition, unknownProperties } = registration;
  const where = `job '${definition.name}' of queue '${definition.queue}'`;
  return { ...registration, place: { where, unknownProperties: unknownPropertiesOf(definition, unknownProperties) } };
}

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
export async function attemptJob(attempt: Attempt, registration: PlacedRegistration | undefined): Promise<JobOutcome> {
  const { job, active } = attempt;
  try {
    if (!registration) throw unknownJob(job);
    const { definition, place, inbox } = registration;
    const decoding = decoded(definition.payload, job.data, place);
    const payload = decoding instanceof Promise ? await decoding : decoding;
    // Rules may take their time: a job that goes back meanwhile is not begun here.
    if (active.isGivenUp || active.paused.aborted) return { kind: 'release' };
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

/** The surroundings of one call of a handler. */
interface Call extends Attempt {
  readonly transaction?: SqlTransaction;
  /** The signal of its time limit. Default: that of the job. */
  readonly limit?: { readonly signal: AbortSignal };
}

/** The time limit stands inside the inbox, so that a handler that runs out of time is rolled back. */
function handle(registration: JobRegistration, payload: object, call: Call): Promise<unknown> {
  const { timeoutMs = null } = registration;
  if (timeoutMs === null) return called(registration, payload, call);
  return withinLimit(timeoutMs, call.active.signal, (signal) => called(registration, payload, { ...call, limit: { signal } }));
}

async function called(registration: JobRegistration, payload: object, call: Call): Promise<unknown> {
  const { job, active, jobs, transaction, limit = active } = call;
  active.isHandled = true;
  try {
    return await registration.handle(payload, new JobContext(job, limit, transaction));
  } finally {
    jobs.handled(active);
  }
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
