import {
  type ForwardedJob, type ForwardedJobs, jobOf, MillraceError, type NamedJob, type PayloadClass, type UnknownProperties,
} from '@millrace/core';
import { addBulk } from './add-jobs.js';
import { enqueueBegins, tellEnqueued } from './enqueue-events.js';
import type { EnqueueOptions } from './enqueue-options.js';
import type { QueueLookup } from './job-queue.js';
import { NO_OPTIONS, type OutgoingJob, outgoingJob } from './outgoing-job.js';
import { runCommand } from './queue-command.js';
import { watchQueue } from './watch-queue.js';

/** How long a forwarded job is known to its queue beyond its delay, also when its record was removed. */
const KNOWN_MS = 3_600_000;

/** Stores jobs that handlers of messages forward. */
export class JobForwards implements ForwardedJobs {
  readonly #queues: QueueLookup;
  readonly #unknownProperties: UnknownProperties | undefined;

  /** @param unknownProperties for jobs that say nothing themselves. Default `refuse` */
  constructor(queues: QueueLookup, unknownProperties?: UnknownProperties) {
    this.#queues = queues;
    this.#unknownProperties = unknownProperties;
  }

  write(job: PayloadClass, payload: object, { id, options = NO_OPTIONS, where }: NamedJob): ForwardedJob | Promise<ForwardedJob> {
    const definition = jobOf(job);
    // A queue that this process does not have would keep the job waiting.
    this.#queues(definition.queue);
    assertNoKey(options as EnqueueOptions, where);
    const given = { options: options as EnqueueOptions, where, unknownProperties: this.#unknownProperties };
    const outgoing = outgoingJob(definition, payload, given);
    const { queue } = definition;
    const written = (made: OutgoingJob): ForwardedJob => ({ kind: 'job', queue, json: JSON.stringify(known(made, id)) });
    return outgoing instanceof Promise ? outgoing.then(written) : written(outgoing);
  }

  async store(queueName: string, jobs: readonly string[]): Promise<void> {
    const queue = this.#queues(queueName);
    watchQueue(queue);
    const outgoing = jobs.map((job) => JSON.parse(job) as OutgoingJob);
    const sinceMs = enqueueBegins();
    await runCommand({ queue, where: `forwarded jobs for '${queueName}'`, writes: true, run: () => addBulk(queue, outgoing) });
    if (sinceMs > 0) tellEnqueued(queueName, outgoing.map(({ name }) => ({ name, outcome: 'ok' })), sinceMs);
  }
}

function known({ name, data, opts }: OutgoingJob, id: string): OutgoingJob {
  return { name, data, opts: { ...opts, jobId: id, deduplication: { id, ttl: KNOWN_MS + (opts.delay ?? 0) } } };
}

function assertNoKey(options: EnqueueOptions | null, where: string): void {
  if (options?.idempotencyKey === undefined) return;
  throw new MillraceError(
    'FORWARD_REFUSED',
    `${where}: a job that is enqueued with the settlement of a message is stored once by itself, and takes no idempotencyKey. Leave it ` +
      'out, or use JobQueue.enqueue() to make the job unique among others.',
  );
}
