import { asError, errorRecord, isMillraceError, messageTimeMs, type Outcome } from '@millrace/core';
import { retryBody, type Work } from './work.js';

/** What is written about one message when it is settled: the last three arguments of `settle.lua`. */
export type Settlement = readonly [outcome: 'ack' | 'retry' | 'dead' | 'release', first: string, second: string];

/** Why and how a message was given up, as it is stored beside the message itself. */
export interface DeadLetterReason {
  readonly reason: string;
  readonly error: { readonly name: string; readonly message: string; readonly code?: string; readonly stack?: string };
  readonly attempts: number;
  readonly crashes: number;
  /** Unix milliseconds. */
  readonly publishedAt: number | null;
  readonly firstFailedAt: number;
  readonly deadLetteredAt: number;
  readonly origin: { readonly topic: string; readonly partition: number; readonly offset: number; readonly group: string };
}

export function settlementOf(work: Work, outcome: Outcome, nowMs: number = Date.now()): Settlement {
  switch (outcome.kind) {
    case 'ack':
      return ['ack', outcome.deduplicated ? 'deduplicated' : outcome.discarded ? 'discarded' : 'handled', ''];
    case 'retry':
      return ['retry', String(outcome.delayMs), retryBody(work, { attempt: work.attempt + 1, firstFailedAt: work.firstFailedAt ?? nowMs })];
    case 'dead-letter':
      return ['dead', work.envelope, JSON.stringify(deadLetterReason(work, outcome, nowMs))];
  }
}

/** Gives a message back that nobody here has begun to handle: its attempt does not count. */
export function releaseOf(work: Work): Settlement {
  return ['release', retryBody(work, { attempt: work.attempt, firstFailedAt: work.firstFailedAt }), ''];
}

/** The outcome of what cannot be handed to a handler at all. */
export function unhandledOutcome(reason: string, thrown: unknown): Outcome {
  const error = asError(thrown);
  return { kind: 'dead-letter', reason: isMillraceError(error) ? error.code : reason, error: errorRecord(error) };
}

function deadLetterReason(work: Work, outcome: Extract<Outcome, { kind: 'dead-letter' }>, nowMs: number): DeadLetterReason {
  const { topic, partition, group } = work.entry.stream.partition;
  return {
    reason: outcome.reason,
    error: outcome.error,
    attempts: work.attempt,
    crashes: work.crashes,
    publishedAt: work.message instanceof Error ? null : messageTimeMs(work.message.id),
    firstFailedAt: work.firstFailedAt ?? nowMs,
    deadLetteredAt: nowMs,
    origin: { topic, partition, offset: work.offset, group },
  };
}
