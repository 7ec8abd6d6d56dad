import { hash } from 'node:crypto';
import { backoffDelayMs, type JobDefinition, jsonDigest, newMessageId } from '@millrace/core';

/**
 * How long a key is remembered beyond the job's delay and the longest that its retries can take: one day from the enqueue.
 * Whether the job is finished, or its record was removed by retention, makes no difference.
 */
export const IDEMPOTENCY_WINDOW_MS = 86_400_000;

/** The length of a message id, with which the id of a job with a key begins. */
export const ID_LENGTH = 36;
const DIGEST_LENGTH = 16;
const KEY_HASH_LENGTH = 32;

/** BullMQ's deduplication option: an id that is safe in a Redis key, and milliseconds. */
export interface Deduplication {
  readonly id: string;
  readonly ttl: number;
}

/** Keys of different jobs never meet, even in one queue. */
export function deduplicationOf(definition: JobDefinition, key: string, delayMs: number): Deduplication {
  return {
    id: sha256(`${definition.name}:${key}`).slice(0, KEY_HASH_LENGTH),
    ttl: delayMs + retrySpanMs(definition) + IDEMPOTENCY_WINDOW_MS,
  };
}

/**
 * The id of a job with a key carries a digest of its payload. Redis answers a duplicate with the id of the first job, so one
 * answer says that the job is a duplicate, of which job, and whether that had the same payload.
 */
export function keyedJobId(payload: unknown): string {
  return `${newMessageId()}-${jsonDigest(payload)}`;
}

/** Whether two jobs with one key differ in their payloads. Ids that other code made say nothing about it. */
export function payloadsDiffer(id: string, otherId: string): boolean {
  const digests = [digestOf(id), digestOf(otherId)];
  return !digests.includes(null) && digests[0] !== digests[1];
}

function digestOf(id: string): string | null {
  return id.length === ID_LENGTH + 1 + DIGEST_LENGTH ? id.slice(ID_LENGTH + 1) : null;
}

/** The longest time from the first attempt to the last, by the policy. */
function retrySpanMs({ attempts, backoff }: JobDefinition): number {
  let span = 0;
  for (let failures = 1; failures < attempts; failures += 1) span += backoffDelayMs({ ...backoff, jitter: false }, failures);
  return span;
}

function sha256(text: string): string {
  return hash('sha256', text, 'base64url');
}
