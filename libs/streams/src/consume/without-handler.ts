import { isExpired, MillraceError, type Outcome, type Screen } from '@millrace/core';
import { unhandledOutcome } from './settlement.js';
import type { Work } from './work.js';

/** The rules of a subscription by which a message ends without its handler. */
export interface WithoutHandler {
  readonly crashLimit: number;
  /** How messages end that the handler is not for. */
  readonly screen?: Screen | undefined;
}

const EXPIRED: Outcome = { kind: 'ack', expired: true };

/** How work ends without the handler; null when the handler is to decide. */
export function outcomeWithoutHandler(work: Work, rules: WithoutHandler): Outcome | null {
  if (work.fault) return unreadable(work.fault);
  if (isExpired(work.message)) return EXPIRED;
  return rules.screen?.(work.message) ?? outcomeOfCrashes(work, rules);
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
