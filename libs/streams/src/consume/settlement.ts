import { errorRecord, type GiveUpReason, messageTimeMs, type Outcome } from '@millrace/core';
import type { DeadLetterReason } from './dead-letter-reason.js';
import { type PendingDelivery, waitingOf } from './pending-delivery.js';

type SettlementKind = 'ack' | 'retry' | 'dead' | 'release';

/** The outcome of one message in the form in which it is stored: the last three arguments of `settle.lua`. */
export type Settlement = readonly [outcome: SettlementKind, first: string, second: string];

/** The usual settlement: all messages that were handled share it. */
export const HANDLED: Settlement = ['ack', 'handled', ''];

/** Whether the message is done with it, and does not wait for an operator. */
export function isDone([outcome, how]: Settlement): boolean {
  return outcome === 'ack' && how !== 'parked';
}

/** Whether the settlement stores something beside the message, for as long as the group has not dealt with it. */
export function adds([outcome]: Settlement): boolean {
  return ADDING.has(outcome);
}

const ADDING: ReadonlySet<SettlementKind> = new Set(['retry', 'dead']);

/** How a message ends well without its handler having run to its end. */
const ENDS_WELL = ['deduplicated', 'discarded', 'expired', 'filtered'] as const;

export function settlementOf(delivery: PendingDelivery, outcome: Outcome): Settlement {
  if (outcome.kind === 'ack') return acknowledgementOf(outcome);
  const nowMs = Date.now();
  switch (outcome.kind) {
    case 'retry': {
      const attempt = outcome.sameAttempt ? delivery.attempt : delivery.attempt + 1;
      return ['retry', String(outcome.delayMs), waitingOf(delivery, { attempt, firstFailedAt: delivery.firstFailedAt ?? nowMs })];
    }
    case 'dead-letter':
      return ['dead', delivery.envelope, JSON.stringify(deadLetterReason(delivery, outcome, nowMs))];
    case 'release':
      return outcome.delayMs === undefined ? releaseOf(delivery) : laterOf(delivery, outcome.delayMs);
  }
}

function acknowledgementOf(outcome: Extract<Outcome, { kind: 'ack' }>): Settlement {
  const how = ENDS_WELL.find((each) => outcome[each]);
  return how ? ['ack', how, ''] : HANDLED;
}

/** Gives a message back to the group without counting an attempt. */
export function releaseOf(delivery: PendingDelivery): Settlement {
  return ['release', waitingOf(delivery, { attempt: delivery.attempt, firstFailedAt: delivery.firstFailedAt }), ''];
}

/** Has a message come again after a while, without counting an attempt. */
function laterOf(delivery: PendingDelivery, delayMs: number): Settlement {
  const { attempt, firstFailedAt } = delivery;
  return ['retry', String(delayMs), waitingOf(delivery, { attempt, firstFailedAt })];
}

/** The outcome of a message that cannot be handed to a handler at all. */
export function unhandledOutcome(reason: GiveUpReason, thrown: unknown): Outcome {
  return { kind: 'dead-letter', reason, error: errorRecord(thrown) };
}

function deadLetterReason(delivery: PendingDelivery, outcome: Extract<Outcome, { kind: 'dead-letter' }>, nowMs: number): DeadLetterReason {
  const { topic, partition, group } = delivery.entry.stream.partition;
  return {
    reason: outcome.reason,
    error: outcome.error,
    attempts: delivery.attempt,
    crashes: delivery.crashes,
    publishedAt: delivery.fault ? null : messageTimeMs(delivery.message.id),
    firstFailedAt: delivery.firstFailedAt ?? nowMs,
    deadLetteredAt: nowMs,
    origin: { topic, partition, offset: delivery.offset, group },
  };
}
