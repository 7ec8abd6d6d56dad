import { isExpired, MillraceError, orTriedLater, type Outcome, type Screen } from '@millrace/core';
import { unhandledOutcome } from './settlement.js';
import type { Work } from './work.js';

/** The rules of a subscription by which a message ends without its handler. */
export interface WithoutHandler {
  readonly crashLimit: number;
  /** How messages end that the handler is not for. */
  readonly screen?: Screen | undefined;
  /** How long a message of an unknown type or a newer version is tried before it is dead-lettered. */
  readonly unknownForMs?: number | undefined;
}

const EXPIRED: Outcome = { kind: 'ack', expired: true };

/** How work ends without the handler; null when the handler is to decide. */
export function outcomeWithoutHandler(work: Work, rules: WithoutHandler): Outcome | null {
  const outcome = work.fault ? unreadable(work.fault) : outcomeOfMessage(work, rules);
  return outcome && orTriedLater(outcome, { triedMs: triedMs(work), mostMs: rules.unknownForMs ?? 0 });
}

function outcomeOfMessage(work: Work, rules: WithoutHandler): Outcome | null {
  if (isExpired(work.message)) return EXPIRED;
  return rules.screen?.(work.message) ?? outcomeOfCrashes(work, rules);
}

/** Since its first failure, by the clocks of the processes that tried. */
function triedMs({ firstFailedAt }: Work): number {
  return firstFailedAt === null ? 0 : Math.max(0, Date.now() - firstFailedAt);
}

function outcomeOfCrashes(work: Work, { crashLimit }: WithoutHandler): Outcome | null {
  return work.crashes >= crashLimit ? unhandledOutcome('CRASH_LOOP', crashLoop(work)) : null;
}

/** It is of a version to come, or no message at all. */
function unreadable(error: MillraceError): Outcome {
  return unhandledOutcome(error.code === 'UNSUPPORTED_VERSION' ? error.code : 'MALFORMED_ENVELOPE', error);
}

function crashLoop(work: Work): MillraceError {
  return new MillraceError(
    'CRASH_LOOP',
    `The process that handled this message vanished ${work.crashes} times before it settled it. It is given up so that it takes no more processes down.`,
  );
}
