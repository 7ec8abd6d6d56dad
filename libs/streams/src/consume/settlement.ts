import { errorRecord, type GiveUpReason, messageTimeMs, type Outcome } from '@millrace/core';
import type { DeadLetterReason } from './dead-letter-reason.js';
import { waitingOf, type Work } from './work.js';

type SettlementKind = 'ack' | 'retry' | 'dead' | 'announce' | 'told' | 'later' | 'release';

/** What is written about one message when it is settled: the last three arguments of `settle.lua`. */
export type Settlement = readonly [outcome: SettlementKind, first: string, second: string];

/** The usual one is the same for all. */
export const HANDLED: Settlement = ['ack', 'handled', ''];

/** Whether it has something stored beside the message, for as long as the group has not dealt with it. */
export function adds([outcome]: Settlement): boolean {
  return ADDING.has(outcome);
}

const ADDING: ReadonlySet<SettlementKind> = new Set(['retry', 'dead', 'announce', 'later']);

/** How a message ends well without its handler having run to its end. */
const ENDS_WELL = ['deduplicated', 'discarded', 'expired', 'filtered'] as const;

/** @param group `announces`: it has a handler that is told of dead letters */
export function settlementOf(work: Work, outcome: Outcome, group: { readonly announces: boolean }): Settlement {
  if (work.notice) return noticeSettlementOf(work, outcome);
  const settlement = messageSettlementOf(work, outcome);
  return group.announces ? announced(settlement) : settlement;
}

function messageSettlementOf(work: Work, outcome: Outcome): Settlement {
  if (outcome.kind === 'ack') return acknowledgementOf(outcome);
  const nowMs = Date.now();
  switch (outcome.kind) {
    case 'retry':
      return ['retry', String(outcome.delayMs), waitingOf(work, { attempt: work.attempt + 1, firstFailedAt: work.firstFailedAt ?? nowMs })];
    case 'dead-letter':
      return ['dead', work.envelope, JSON.stringify(deadLetterReason(work, outcome, nowMs))];
    case 'release':
      return releaseOf(work);
  }
}

function acknowledgementOf(outcome: Extract<Outcome, { kind: 'ack' }>): Settlement {
  const how = ENDS_WELL.find((each) => outcome[each]);
  return how ? ['ack', how, ''] : HANDLED;
}

/** The dead letter, if it is one, is announced to the group. */
function announced(settlement: Settlement): Settlement {
  const [outcome, ...values] = settlement;
  return outcome === 'dead' ? ['announce', ...values] : settlement;
}

/** A notice that cannot be told any more is dropped: what it tells of is among the dead letters. */
function noticeSettlementOf(work: Work, outcome: Outcome): Settlement {
  if (outcome.kind === 'release') return releaseOf(work);
  if (outcome.kind !== 'retry') return ['told', '', ''];
  return ['later', String(outcome.delayMs), waitingOf(work, { attempt: work.attempt + 1, firstFailedAt: null })];
}

/** Gives a message back that nobody here has begun to handle: its attempt does not count. */
export function releaseOf(work: Work): Settlement {
  return ['release', waitingOf(work, { attempt: work.attempt, firstFailedAt: work.firstFailedAt }), ''];
}

/** The outcome of what cannot be handed to a handler at all. */
export function unhandledOutcome(reason: GiveUpReason, thrown: unknown): Outcome {
  return { kind: 'dead-letter', reason, error: errorRecord(thrown) };
}

function deadLetterReason(work: Work, outcome: Extract<Outcome, { kind: 'dead-letter' }>, nowMs: number): DeadLetterReason {
  const { topic, partition, group } = work.entry.stream.partition;
  return {
    reason: outcome.reason,
    error: outcome.error,
    attempts: work.attempt,
    crashes: work.crashes,
    publishedAt: work.fault ? null : messageTimeMs(work.message.id),
    firstFailedAt: work.firstFailedAt ?? nowMs,
    deadLetteredAt: nowMs,
    origin: { topic, partition, offset: work.offset, group },
  };
}
