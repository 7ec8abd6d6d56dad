import {
  chain, type Decide, decoding, exponential, type Idempotency, idempotencyId, idempotent, inboxed, type Middleware, MillraceError,
  type OutcomeWithResult, outcomesWithResults,
  quote, type RetryPolicy, type SpanFacts, type Step, timing, type TraceHeaders, tracing, unknownPropertiesOf,
} from '@millrace/core';
import type { Job } from 'bullmq';
import type { ActiveJobs } from './active-jobs.js';
import type { JobAttempt } from './job-attempt.js';
import { JobContext } from './job-context.js';
import type { JobIdempotency, JobRegistration } from './job-registration.js';
import { workIdOf } from './work-id.js';

/** Decides the outcome of an attempt to handle a job, with the result of its handler. */
export type JobPipeline = Decide<JobAttempt, OutcomeWithResult>;

/** Puts the policies around a handler of jobs. */
export function jobPipeline(registration: JobRegistration, jobs: ActiveJobs): JobPipeline {
  const { definition, inbox, idempotency, timeoutMs = null } = registration;
  const where = `job '${definition.name}' of queue '${definition.queue}'`;
  const place = { where, unknownProperties: unknownPropertiesOf(definition, registration.unknownProperties) };
  // The definition in the handler's code counts, not the one that was stored with the job.
  const policy: RetryPolicy = { attempts: definition.attempts, backoff: definition.backoff, deadLetterOn: [] };
  const decide = (next: Step<JobAttempt>): JobPipeline => outcomesWithResults(() => policy, next);
  const around: Middleware<JobAttempt>[] = [
    decoding(() => definition.payload, place),
    tracing(({ job }) => job.opts as TraceHeaders, factsOf),
    ...(idempotency ? [idempotent(idempotencyOf(registration, idempotency), decide)] : []),
    ...(inbox ? [inboxed<JobAttempt>(inbox, inboxEntryOf)] : []),
    timing(timeoutMs, ({ active }) => active.signal),
  ];
  return decide(chain(around, handledBy(registration, jobs)));
}

/** For jobs that no handler of this process is for. */
export const unknownJobs: JobPipeline = outcomesWithResults<JobAttempt>(storedPolicyOf, ({ job }) => {
  throw unknownJob(job);
});

function factsOf({ job, number }: JobAttempt): SpanFacts {
  return { operation: 'process', target: job.queueName, detail: job.name, messageId: job.id ?? '', attempt: number };
}

function idempotencyOf({ definition }: JobRegistration, { ledger, holder, keyOf }: JobIdempotency): Idempotency<JobAttempt> {
  return {
    ledger,
    holder,
    place: { queue: definition.queue },
    idOf: ({ job, active, payload }) => {
      const chosen = (): unknown => (keyOf ? keyOf(payload as object, new JobContext(job, active)) : workIdOf(job));
      return idempotencyId(chosen, { where: `job ${job.id ?? ''} of queue '${definition.queue}'`, replay: 0 });
    },
  };
}

function inboxEntryOf({ job }: JobAttempt): { subscriber: string; messageId: string } {
  return { subscriber: `queue/${job.queueName}/${job.name}`, messageId: workIdOf(job) };
}

function handledBy(registration: JobRegistration, jobs: ActiveJobs): Step<JobAttempt> {
  return async (attempt) => {
    const { job, active, payload } = attempt;
    active.isHandled = true;
    attempt.memo = registration.memo;
    try {
      return await registration.handle(payload as object, new JobContext(job, attempt));
    } finally {
      jobs.handled(active);
    }
  };
}

/** During a rolling release the retries of a job may reach a process that knows it. */
function storedPolicyOf({ job: { opts } }: JobAttempt): RetryPolicy {
  return { attempts: opts.attempts ?? 1, backoff: exponential('1s', { max: '5m' }), deadLetterOn: [] };
}

function unknownJob(job: Job): MillraceError {
  return new MillraceError(
    'NOT_A_JOB',
    `Queue '${job.queueName}' holds a job named ${quote(job.name)}, which no handler of this process is for. It is kept among the failed ` +
      'jobs: add a @JobHandler for it to every process that works on this queue and retry it, or remove it.',
  );
}
