import { durationMs, encodePayload, type JobDefinition, newMessageId, parseOptions, type UnknownProperties, unknownPropertiesOf } from '@millrace/core';
import type { JobsOptions } from 'bullmq';
import { EnqueueOptions } from './enqueue-options.js';
import { deduplicationOf, keyedJobId } from './idempotency.js';

/** BullMQ keeps options that it does not know; the key as the user wrote it is one of them. */
export interface StoredJobOptions extends JobsOptions {
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

/** @throws MillraceError INVALID_OPTIONS, INVALID_PAYLOAD, UNSERIALIZABLE_PAYLOAD, PAYLOAD_TOO_LARGE */
export async function outgoingJob(definition: JobDefinition, payload: object, given: Enqueuing): Promise<OutgoingJob> {
  const { where } = given;
  const options = parsed(given.options, where);
  const unknownProperties = unknownPropertiesOf(definition, given.unknownProperties);
  const data: unknown = JSON.parse(await encodePayload(definition.payload, payload, { where, unknownProperties }));
  return { name: definition.name, data, opts: { ...storedOptions(definition, options), ...identity(definition, data, options) } };
}

/** Most jobs have no options, and checking costs as much as validating a small payload. */
function parsed(options: EnqueueOptions, where: string): EnqueueOptions {
  return options === NO_OPTIONS ? options : parseOptions(EnqueueOptions, options, where);
}

function storedOptions({ attempts, backoff }: JobDefinition, { delay, priority }: EnqueueOptions): JobsOptions {
  return {
    attempts,
    // For dashboards, and for plain BullMQ workers on the same queue; our worker goes by the definition in its own code.
    backoff: { type: backoff.kind, delay: backoff.delayMs, jitter: backoff.jitter ? 0.5 : 0 },
    ...(delay ? { delay: durationMs(delay) } : {}),
    ...(priority ? { priority } : {}),
  };
}

function identity(definition: JobDefinition, data: unknown, options: EnqueueOptions): OutgoingJob['opts'] {
  const { delay, idempotencyKey } = options;
  if (!idempotencyKey) return { jobId: newMessageId() };
  const deduplication = deduplicationOf(definition, idempotencyKey, delay ? durationMs(delay) : 0);
  return { jobId: keyedJobId(data), deduplication: { ...deduplication }, idempotencyKey };
}
