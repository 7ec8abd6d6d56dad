import { IndefinitePublishError, MillraceError, TransactionEndedError } from '@millrace/core';
import type { HalfEnd } from './half-record.js';

/** Errors of half messages, as their callers get them. */

const WHO: Readonly<Record<string, string>> = { caller: 'its publisher', check: 'a check', operator: 'an operator' };

export function notStored(topic: string, why: string, cause?: Error): MillraceError {
  return new MillraceError('PUBLISH_REFUSED', `The half message for topic '${topic}' was not stored: ${why} Publish it again later.`, { cause, retryable: true });
}

/** It may be stored: then the check decides. */
export function indefiniteHalf(topic: string, why: string, cause?: unknown): IndefinitePublishError {
  return new IndefinitePublishError(
    `${why} The half message for topic '${topic}' may be stored. Do not do what it tells of: its @TransactionCheck will be asked, and answers 'rollback'.`,
    cause,
  );
}

export function noRoomForHalf(topic: string, partition: number, advice: string): MillraceError {
  return new MillraceError(
    'BACK_PRESSURE',
    `The half message for topic '${topic}' was not stored: partition ${partition} holds as much as its retention allows, half messages included. ` +
      `${advice}, raise the limit, or choose another overflow.`,
    { retryable: true },
  );
}

export function unfinished(topic: string, work: 'commit' | 'rollback', cause: Error | undefined): MillraceError {
  const why = cause ? ` ${cause.message}` : '';
  return new MillraceError(
    'PUBLISH_REFUSED',
    `The ${work} of a half message of topic '${topic}' was not done, as its time was up.${why} Repeat it, or let the check decide.`,
    { cause, retryable: true },
  );
}

export function indefiniteCommit(topic: string, why: string, cause?: unknown): IndefinitePublishError {
  return new IndefinitePublishError(
    `${why} The half message of topic '${topic}' may be committed. Repeat the commit to be sure, which publishes nothing twice; or let the check decide.`,
    cause,
  );
}

/** @param work what could not be done, as it has ended in another way */
export function transactionEnded(topic: string, work: 'commit' | 'rollback', end: HalfEnd): TransactionEndedError {
  const head = `The ${work} of a half message of topic '${topic}' came too late, and changed nothing:`;
  if (end.kind === 'committed') return new TransactionEndedError(`${head} it was committed before.`, 'committed');
  if (end.kind === 'rolled-back') {
    const who = WHO[end.by] ?? end.by;
    const advice = end.by === 'check' ? " Let checkAfter be longer, or the check answer 'unknown' while the transaction runs." : '';
    return new TransactionEndedError(`${head} ${who} had rolled it back.${advice}`, 'rolled-back');
  }
  if (end.kind === 'refused') return new TransactionEndedError(`${head} its commit was refused, as its idempotency key was used before.`, 'rolled-back');
  return new TransactionEndedError(
    `${head} it is not known any more. It ended more than an hour ago, or Redis has lost it: ask the consumers of the topic, or its @TransactionCheck.`,
    'unknown',
  );
}
