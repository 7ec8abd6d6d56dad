import { IdempotencyMismatchError, IndefinitePublishError, MillraceError } from '@millrace/core';
import { Unconfirmed } from '../durable/confirmation.js';
import { LONGEST_IDLE_PAUSE_MS } from '../group/idle-pause.js';
import type { BlockingGroup } from '../retain/log-trim.js';

/** Errors of a publish, as its caller gets them. */

export function refused(topic: string, why: string, cause?: Error): MillraceError {
  return new MillraceError('PUBLISH_REFUSED', `The message for topic '${topic}' was not stored: ${why} Publish it again later.`, { cause, retryable: true });
}

export function unsent(topic: string): MillraceError {
  return refused(topic, 'its time was up before it could be sent.');
}

export function indefinite(topic: string, cause: Error | undefined): IndefinitePublishError {
  return new IndefinitePublishError(
    `Redis did not say whether it stored the message for topic '${topic}'. It may be stored. Publish it again with the same ` +
      "idempotency key to be sure, within the topic's idempotencyWindow from the first try; without one that may store it twice.",
    cause,
  );
}

const REPEAT = 'Publish it again with the same idempotency key: that stores nothing new, and asks again; without one it may be stored twice.';

/** Null for a confirmation that was lost: then both are sent again. */
export function unconfirmed(shortfall: Error | null): IndefinitePublishError | null {
  return shortfall instanceof Unconfirmed ? new IndefinitePublishError(`${shortfall.message} ${REPEAT}`, shortfall.cause) : null;
}

/** A group without a sign of life for so long has no living member: a living one gives it more often, also while it is idle. */
const ABANDONED_AFTER_MS = 2 * LONGEST_IDLE_PAUSE_MS;

/** @param blockingGroup the group that keeps the partition full; null when none does */
export function noRoom(place: { topic: string; partition: number }, blockingGroup: BlockingGroup | null): MillraceError {
  const { topic, partition } = place;
  const advice = blockingGroup === null ? 'Let its groups catch up' : adviceOn(blockingGroup);
  return new MillraceError(
    'BACK_PRESSURE',
    `The message for topic '${topic}' was not stored: partition ${partition} holds as much as its retention allows. ${advice}, ` +
      'raise the limit, or choose another overflow.',
    { retryable: true },
  );
}

/** How an operator makes the group give room. */
export function adviceOn({ group, silentMs }: BlockingGroup): string {
  const held = `Group '${group}' has not settled its oldest message`;
  if (silentMs !== null && silentMs < ABANDONED_AFTER_MS) return `${held}: let it catch up, by more members or a higher concurrency`;
  const since = silentMs === null ? '' : ` since ${Math.round(silentMs / 1_000)} s`;
  return `${held}, and has no living member${since}: start one, remove the group with Groups.remove() if nobody needs it any more`;
}

/** Callers that await nothing get many of these, so it has no stack: a stack would take more memory than a message. */
export function bufferFull(topic: string, bytes: number): MillraceError {
  return withoutStack(
    () =>
      new MillraceError(
        'BACK_PRESSURE',
        `The message for topic '${topic}' was not stored: those on their way take all of the ${bytes} bytes that ` +
          'this process has for them. Await publishes, publish slower, or raise publishBufferBytes.',
        { retryable: true },
      ),
  );
}

function withoutStack<E extends Error>(make: () => E): E {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return make();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** @param firstUse as a script returns it: `<offset> <id>` of the message, or `@<partition>` that the message went to */
export function mismatch(topic: string, idempotencyKey: string, firstUse: string): IdempotencyMismatchError {
  const where = firstUse.startsWith('@') ? `in partition ${firstUse.slice(1)}` : `message ${firstUse.split(' ')[1] ?? ''}`;
  return new IdempotencyMismatchError(
    `The idempotency key '${idempotencyKey}' was used for another payload, or with another key, on topic '${topic}' (${where}). ` +
      'Nothing was stored. Use another idempotency key for another message.',
  );
}
