import {
  currentTrace, type CurveBackoff, durationMs, type JobDefinition, newMessageId, parseOptions,
  plainPayload, type UnknownProperties, unknownPropertiesOf,
} from '@millrace/core';
import type { BackoffOptions, JobsOptions } from 'bullmq';
import { EnqueueOptions } from './enqueue-options.js';
import { type Deduplication, deduplicationOf, keyedJobId } from './idempotency.js';

/** BullMQ keeps options that it does not know: the key as the user wrote it, and the trace that the job belongs to. */
export interface StoredJobOptions extends JobsOptions {
  readonly traceparent?: string;
  readonly tracestate?: string | null;
  readonly jobId?: string;
  readonly idempotencyKey?: string;
}

export const NO_OPTIONS: EnqueueOptions = Object.freeze({});

/** A job as BullMQ takes it, validated. */
export interface OutgoingJob {
  readonly name: string;
  readonly data: unknown;
  readonly opts: StoredJobOptions & { readonly jobId: string };
}

/** The circumstances of an enqueue. */
export interface Enqueuing {
  readonly options: EnqueueOptions;
  /** The call, for the error. */
  readonly where: string;
  /** For jobs that say nothing themselves. */
  readonly unknownProperties: UnknownProperties | undefined;
}

/**
 * It waits only for rules of the payload that take their time, and may throw at once.
 *
 * @throws MillraceError INVALID_OPTIONS, INVALID_PAYLOAD, UNSERIALIZABLE_PAYLOAD, PAYLOAD_TOO_LARGE
 */
export function outgoingJob(definition: JobDefinition, payload: object, given: Enqueuing): OutgoingJob | Promise<OutgoingJob> {
  const { where } = given;
  const options = parsed(given.options, where);
  const unknownProperties = unknownPropertiesOf(definition, given.unknownProperties);
  const data = plainPayload(definition.payload, { given: { payload, where }, unknownProperties });
  if (!(data instanceof Promise)) return completed(definition, options, data);
  return data.then((done) => completed(definition, options, done));
}

function completed(definition: JobDefinition, options: EnqueueOptions, data: object): OutgoingJob {
  const { name, attempts, backoff } = definition;
  const opts = { attempts, backoff: storedBackoff(backoff), jobId: newMessageId(), ...currentTrace() };
  return { name, data, opts: options === NO_OPTIONS ? opts : { ...opts, ...chosen(definition, data, options) } };
}

/** Most jobs have no options, and checking costs as much as validating a small payload. */
function parsed(options: EnqueueOptions, where: string): EnqueueOptions {
  return options === NO_OPTIONS ? options : parseOptions(EnqueueOptions, options, where);
}

/** For dashboards, and for plain BullMQ workers on the same queue; our worker goes by the definition in its own code. */
function storedBackoff({ kind, delayMs, jitter }: CurveBackoff): BackoffOptions {
  return { type: kind, delay: delayMs, jitter: jitter ? 0.5 : 0 };
}

function chosen(definition: JobDefinition, data: unknown, { delay, priority, idempotencyKey }: EnqueueOptions): StoredJobOptions {
  const delayMs = delay ? durationMs(delay) : 0;
  return {
    ...(delayMs > 0 ? { delay: delayMs } : {}),
    ...(priority ? { priority } : {}),
    ...(idempotencyKey ? keyed(data, idempotencyKey, deduplicationOf(definition, idempotencyKey, delayMs)) : {}),
  };
}

function keyed(data: unknown, idempotencyKey: string, deduplication: Deduplication): StoredJobOptions {
  return { jobId: keyedJobId(data), deduplication: { ...deduplication }, idempotencyKey };
}
