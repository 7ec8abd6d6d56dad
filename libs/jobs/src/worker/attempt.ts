import { decodePayload, exponential, MillraceError, type Outcome, outcomeOfFailure, quote, type RetryPolicy, runInTurn, unknownPropertiesOf } from '@millrace/core';
import type { Job } from 'bullmq';
import type { ActiveJob } from './active-jobs.js';
import { JobContext } from './job-context.js';
import type { JobRegistration } from './job-registration.js';

/** Puts the policies around a handler: validation, then the inbox, then the handler; what is thrown becomes an outcome. */
export async function attemptJob(job: Job, registration: JobRegistration | undefined, active: ActiveJob): Promise<Outcome> {
  try {
    if (!registration) throw unknownJob(job);
    const where = `job '${job.name}' of queue '${job.queueName}'`;
    const { definition, unknownProperties } = registration;
    const place = { where, unknownProperties: unknownPropertiesOf(definition, unknownProperties) };
    const payload = await decodePayload(definition.payload, job.data, place);
    return await run(registration, payload, { job, active });
  } catch (thrown) {
    return outcomeOfFailure(policyOf(job, registration), job.attemptsMade + 1, thrown);
  }
}

async function run(registration: JobRegistration, payload: object, given: { job: Job; active: ActiveJob }): Promise<Outcome> {
  const { definition, inbox, handle } = registration;
  const { job, active } = given;
  if (!inbox) {
    await handle(payload, new JobContext(job, active));
    return { kind: 'ack' };
  }
  const subscriber = `queue/${definition.queue}/${definition.name}`;
  const turn = { inbox, subscriber, messageId: job.id ?? '', heldUp: active.heldUp };
  const result = await runInTurn(turn, (transaction) => handle(payload, new JobContext(job, active, transaction)));
  return result === 'held-up' ? { kind: 'release' } : { kind: 'ack', deduplicated: result.duplicate };
}

/**
 * The definition in the code of who handles the job, not what was stored when it was enqueued. A job that nobody here knows
 * goes by what it was enqueued with: during a rolling release, its retries may reach a process that knows it.
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
