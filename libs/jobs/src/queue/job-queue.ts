import {
  asError, IdempotencyMismatchError, type JobDefinition, jobOf, MillraceError, type PayloadClass, presentSpans, quote,
  type SendOutcome, type Spans, type UnknownProperties,
} from '@millrace/core';
import type { Queue } from 'bullmq';
import { add, addBulk } from './add-jobs.js';
import { enqueueBegins, outcomeOf, tellEnqueued } from './enqueue-events.js';
import { EnqueueOptions } from './enqueue-options.js';
import { payloadsDiffer } from './idempotency.js';
import { type Enqueuing, NO_OPTIONS, type OutgoingJob, outgoingJob } from './outgoing-job.js';
import { runCommand } from './queue-command.js';
import { watchQueue } from './watch-queue.js';

/** Finds the BullMQ queue of a name; it throws UNKNOWN_QUEUE for a queue that was not registered. */
export type QueueLookup = (name: string) => Queue;

export interface EnqueueResult {
  /** The job's id; of a duplicate, the id of the first. */
  readonly id: string;
  /** True when the idempotency key was known, so that nothing new was stored. */
  readonly duplicate: boolean;
}

/** One job of {@link JobQueue.enqueueMany}. */
export interface EnqueueItem<T extends object> extends EnqueueOptions {
  readonly payload: T;
}

/** Jobs of a queue by state. Finished jobs are counted as long as they are retained. */
export interface JobCounts {
  /** Due and not begun, those with a priority included. */
  readonly waiting: number;
  readonly active: number;
  /** Not due yet: enqueued with a delay, or waiting for another attempt. */
  readonly delayed: number;
  readonly completed: number;
  readonly failed: number;
}

/** Jobs that go to Redis in one pipeline. */
export const BULK_SIZE = 500;

/** Enqueues jobs: the class that a service injects. */
export class JobQueue {
  readonly #queues: QueueLookup;
  readonly #unknownProperties: UnknownProperties | undefined;

  /** @param unknownProperties for jobs that say nothing themselves. Default `refuse` */
  constructor(queues: QueueLookup, unknownProperties?: UnknownProperties) {
    this.#queues = queues;
    this.#unknownProperties = unknownProperties;
  }

  /**
   * Enqueues one job and resolves when Redis has it, with one call to Redis; with a delay, Redis is asked for its time every 10
   * seconds at the most. While Redis is away it tries for 5 seconds.
   *
   * A second enqueue of the same job with the same `idempotencyKey` stores nothing and returns the first one's id with
   * `duplicate: true`. A key is remembered for one day, beyond the job's delay and the longest that its retries can take,
   * counted from the first enqueue, whether the job has finished or not. Removing a job by hand forgets its key.
   *
   * @throws MillraceError NOT_A_JOB, UNKNOWN_QUEUE, INVALID_OPTIONS, INVALID_PAYLOAD, UNSERIALIZABLE_PAYLOAD,
   *   PAYLOAD_TOO_LARGE, REDIS_UNREACHABLE, BACK_PRESSURE, REDIS_FAILED, CLOSED: nothing was stored
   * @throws IdempotencyMismatchError the key was used for another payload: nothing was stored
   * @throws IndefinitePublishError Redis did not answer: it may be stored
   */
  enqueue<T extends object>(job: PayloadClass<T>, payload: T, options = NO_OPTIONS): Promise<EnqueueResult> {
    const spans = presentSpans();
    if (spans === null) return this.#enqueue(job, { payload, options });
    return spanned(spans, job, () => this.#enqueue(job, { payload, options }));
  }

  /**
   * Enqueues many jobs, 500 a round trip. All of them are validated first: when one is not valid, nothing is stored. When a
   * later round trip fails, the earlier ones are stored, as the error says: enqueue again with the same keys.
   *
   * @returns one result an item, in their order
   * @throws IdempotencyMismatchError some keys were used for other payloads: the other items are stored
   * @throws the errors of {@link enqueue}
   */
  enqueueMany<T extends object>(job: PayloadClass<T>, items: readonly EnqueueItem<T>[]): Promise<EnqueueResult[]> {
    const spans = presentSpans();
    return spans === null ? this.#enqueueMany(job, items) : spanned(spans, job, () => this.#enqueueMany(job, items));
  }

  /** @throws MillraceError UNKNOWN_QUEUE, REDIS_UNREACHABLE, REDIS_FAILED, CLOSED */
  async counts(queueName: string): Promise<JobCounts> {
    const queue = this.#queue(queueName);
    const states = ['waiting', 'prioritized', 'active', 'delayed', 'completed', 'failed'] as const;
    const where = `counts('${queue.name}')`;
    const counted = await runCommand({ queue, where, writes: false, run: () => queue.getJobCounts(...states) });
    const { waiting = 0, prioritized = 0, active = 0, delayed = 0, completed = 0, failed = 0 } = counted;
    return { waiting: waiting + prioritized, active, delayed, completed, failed };
  }

  async #enqueue(job: PayloadClass, { payload, options }: EnqueuedOne): Promise<EnqueueResult> {
    const definition = jobOf(job);
    const where = `enqueue(${job.name})`;
    const queue = this.#queue(definition.queue);
    const sinceMs = enqueueBegins();
    let outcome: SendOutcome = 'invalid';
    try {
      const outgoing = await outgoingJob(definition, payload, { options, where, unknownProperties: this.#unknownProperties });
      outcome = 'error';
      const stored = await runCommand({ queue, where, writes: true, run: () => add(queue, outgoing) });
      const result = resultOf(outgoing, stored.id);
      if (isMismatch(outgoing, result)) throw mismatch(where, [outgoing]);
      outcome = outcomeOf(result);
      return result;
    } finally {
      if (sinceMs > 0) tellEnqueued(queue.name, [{ name: definition.name, outcome }], sinceMs);
    }
  }

  async #enqueueMany(job: PayloadClass, items: readonly EnqueueItem<object>[]): Promise<EnqueueResult[]> {
    const definition = jobOf(job);
    const queue = this.#queue(definition.queue);
    const circumstances = { where: `enqueueMany(${job.name})`, unknownProperties: this.#unknownProperties };
    const sinceMs = enqueueBegins();
    const results: EnqueueResult[] = [];
    let outgoing: OutgoingJob[] | null = null;
    try {
      outgoing = await allOutgoing(definition, items, circumstances);
      for (let from = 0; from < outgoing.length; from += BULK_SIZE) {
        const bulk = outgoing.slice(from, from + BULK_SIZE);
        const where = `enqueueMany(${job.name}), items ${from} to ${from + bulk.length - 1}`;
        const stored = await runCommand({ queue, where, writes: true, run: () => addBulk(queue, bulk) });
        results.push(...bulk.map((sent, index) => resultOf(sent, stored[index]?.id)));
      }
    } finally {
      if (sinceMs > 0) tellMany(definition, { items, outgoing, results }, sinceMs);
    }
    const mismatches = outgoing.filter((sent, index) => isMismatch(sent, results[index]!));
    if (mismatches.length > 0) throw mismatch(`enqueueMany(${job.name})`, mismatches);
    return results;
  }

  #queue(name: string): Queue {
    const queue: Queue | undefined = this.#queues(name);
    if (!queue) throw unknownQueue(name);
    watchQueue(queue);
    return queue;
  }

}

interface EnqueuedOne {
  readonly payload: object;
  readonly options: EnqueueOptions;
}

/** Rejects when the class is no job. */
async function spanned<T>(spans: Spans, job: PayloadClass, enqueue: () => Promise<T>): Promise<T> {
  const { queue, name } = jobOf(job);
  return spans.around({ operation: 'enqueue', target: queue, detail: name }, enqueue);
}

interface ManyEnqueued {
  readonly items: readonly unknown[];
  /** Null when one of them is not valid. */
  readonly outgoing: readonly OutgoingJob[] | null;
  /** The results of those that are stored, which come first. */
  readonly results: readonly EnqueueResult[];
}

function tellMany({ queue, name }: JobDefinition, { items, outgoing, results }: ManyEnqueued, sinceMs: number): void {
  const many = Array.isArray(items) ? items.length : 0;
  const outcomes = Array.from({ length: many }, (_, index): SendOutcome => {
    const [sent, result] = [outgoing?.[index], results[index]];
    if (!sent) return 'invalid';
    return result && isMismatch(sent, result) ? 'error' : outcomeOf(result);
  });
  tellEnqueued(queue, outcomes.map((outcome) => ({ name, outcome })), sinceMs);
}

type Items = readonly EnqueueItem<object>[];

type Circumstances = Omit<Enqueuing, 'options'>;

async function allOutgoing(definition: JobDefinition, items: Items, circumstances: Circumstances): Promise<OutgoingJob[]> {
  const { where, unknownProperties } = circumstances;
  if (!Array.isArray(items)) throw new MillraceError('INVALID_INPUT', `${where}: the items must be an array.`);
  // Not `map`, which passes over the holes of a list.
  const made = Array.from(items as Items, (item, index) =>
    attempted(() => outgoingItem(definition, item, { where: `${where}, item ${index}`, unknownProperties })),
  );
  // To wait for each of many costs as much as to validate it.
  return made.every(isMade) ? made : Promise.all(made.map(async (job) => job));
}

function outgoingItem(definition: JobDefinition, item: unknown, circumstances: Circumstances): Made {
  if (item === null || typeof item !== 'object') {
    throw new MillraceError('INVALID_INPUT', `${circumstances.where}: an item must be an object with a payload.`);
  }
  return outgoingJob(definition, (item as Items[0]).payload, { ...circumstances, options: optionsIn(item as Items[0]) });
}

/** Most items are a payload alone. */
function optionsIn(item: EnqueueItem<object>): EnqueueOptions {
  const names = Object.keys(item);
  if (names.length === 1 && names[0] === 'payload') return NO_OPTIONS;
  const { payload: _payload, ...options } = item;
  return options;
}

type Made = OutgoingJob | Promise<OutgoingJob>;

/** Turns an error that is thrown at once into a rejection: other items of the list may be waited for. */
function attempted(make: () => Made): Made {
  try {
    return make();
  } catch (thrown) {
    return Promise.reject(asError(thrown));
  }
}

function isMade(job: Made): job is OutgoingJob {
  return !('then' in job);
}

function resultOf(sent: OutgoingJob, storedId: string | undefined): EnqueueResult {
  const id = storedId ?? sent.opts.jobId;
  return { id, duplicate: id !== sent.opts.jobId };
}

function isMismatch(sent: OutgoingJob, result: EnqueueResult): boolean {
  return result.duplicate && payloadsDiffer(sent.opts.jobId, result.id);
}

function unknownQueue(name: string): MillraceError {
  return new MillraceError(
    'UNKNOWN_QUEUE',
    `There is no queue ${quote(name)} in this process: register the jobs that it enqueues where the application is put together.`,
  );
}

function mismatch(where: string, jobs: readonly OutgoingJob[]): IdempotencyMismatchError {
  const keys = jobs.slice(0, 5).map(({ opts }) => quote(opts.idempotencyKey)).join(', ');
  return new IdempotencyMismatchError(
    `${where}: used for another payload before: idempotency key ${keys}${jobs.length > 5 ? ` and ${jobs.length - 5} more` : ''}. ` +
      'The job of that time stays as it is and nothing was stored for the new payload. Use a key of its own for it.',
  );
}
