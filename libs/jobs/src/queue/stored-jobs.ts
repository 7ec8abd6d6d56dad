import {
  type AgedJobDraft, asError, type GivenJob, IdempotencyMismatchError, type JobDraft, jobOf, type JobPort, type JobResult,
  MillraceError, newMessageId, type PayloadClass, type UnknownProperties,
} from '@millrace/core';
import type { Queue } from 'bullmq';
import { enqueueBegins, outcomeOf, tellEnqueued } from './enqueue-events.js';
import type { EnqueueOptions } from './enqueue-options.js';
import { ID_LENGTH, payloadsDiffer } from './idempotency.js';
import { addBulk } from './add-jobs.js';
import { BULK_SIZE, type QueueLookup } from './job-queue.js';
import { type OutgoingJob, outgoingJob, type StoredJobOptions } from './outgoing-job.js';
import { runCommand } from './queue-command.js';
import { watchQueue } from './watch-queue.js';

/**
 * Jobs that are stored elsewhere before their queue gets them. Each of them has an idempotency key, its own where the caller gave
 * none, so that it is enqueued once however often it is tried, within the window of such keys.
 */
export class StoredJobs implements JobPort {
  readonly #queues: QueueLookup;
  readonly #unknownProperties: UnknownProperties | undefined;

  /** @param unknownProperties for jobs that say nothing themselves. Default `refuse` */
  constructor(queues: QueueLookup, unknownProperties?: UnknownProperties) {
    this.#queues = queues;
    this.#unknownProperties = unknownProperties;
  }

  draft(job: PayloadClass, { payload, options: given, where }: GivenJob): JobDraft | Promise<JobDraft> {
    const definition = jobOf(job);
    const options = withKey(given);
    const made = outgoingJob(definition, payload, { options, where, unknownProperties: this.#unknownProperties });
    return 'then' in made ? made.then((done) => draftOf(definition.queue, done)) : draftOf(definition.queue, made);
  }

  async enqueueDrafts(name: string, drafts: readonly AgedJobDraft[]): Promise<readonly (JobResult | Error)[]> {
    const outcomes: (JobResult | Error)[] = [];
    for (let from = 0; from < drafts.length; from += BULK_SIZE) {
      outcomes.push(...(await this.#enqueue(name, drafts.slice(from, from + BULK_SIZE))));
    }
    return outcomes;
  }

  async #enqueue(name: string, drafts: readonly AgedJobDraft[]): Promise<(JobResult | Error)[]> {
    const sinceMs = enqueueBegins();
    const results = await this.#stored(name, drafts);
    if (sinceMs > 0) {
      tellEnqueued(name, drafts.map(({ draft }, index) => ({ name: draft.name, outcome: outcomeOf(results[index]) })), sinceMs);
    }
    return results;
  }

  async #stored(name: string, drafts: readonly AgedJobDraft[]): Promise<(JobResult | Error)[]> {
    try {
      const queue = this.#queue(name);
      const jobs = drafts.map(outgoingOf);
      const where = `outbox, queue '${name}'`;
      const stored = await runCommand({ queue, where, writes: true, run: () => addBulk(queue, jobs) });
      return jobs.map((job, index) => resultOf(job, stored[index]?.id));
    } catch (thrown) {
      return drafts.map(() => asError(thrown));
    }
  }

  #queue(name: string): Queue {
    const queue = this.#queues(name);
    if (!queue) throw new MillraceError('UNKNOWN_QUEUE', `There is no queue '${name}' in this process.`);
    watchQueue(queue);
    return queue;
  }
}

/** The check of the options refuses whatever is no object. An option that is undefined counts as left out. */
function withKey(options: object): EnqueueOptions {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) return options as EnqueueOptions;
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return { idempotencyKey: newMessageId(), ...Object.fromEntries(given) };
}

function draftOf(queue: string, { name, data, opts }: OutgoingJob): JobDraft {
  const texts = { payloadJson: JSON.stringify(data), optionsJson: JSON.stringify(opts) };
  return { id: opts.jobId.slice(0, ID_LENGTH), name, queue, ...texts };
}

/** A delay counts from when the job was written. */
function outgoingOf({ draft, ageMs }: AgedJobDraft): OutgoingJob {
  const { delay, ...opts } = JSON.parse(draft.optionsJson) as StoredJobOptions & { jobId: string };
  const leftMs = delay === undefined ? 0 : Math.ceil(delay - ageMs);
  return { name: draft.name, data: JSON.parse(draft.payloadJson), opts: leftMs > 0 ? { ...opts, delay: leftMs } : opts };
}

function resultOf({ opts }: OutgoingJob, storedId: string | undefined): JobResult | Error {
  const id = storedId ?? opts.jobId;
  if (!payloadsDiffer(opts.jobId, id)) return { id, duplicate: id !== opts.jobId };
  return new IdempotencyMismatchError(
    `The idempotency key '${opts.idempotencyKey ?? ''}' was used for another payload before (job ${id}), so this job was not stored. ` +
      'Use a key of its own for it.',
  );
}
