import { isExpired, MillraceError, orTriedLater, type Outcome, type Prefilter } from '@millrace/core';
import type { PendingDelivery } from './pending-delivery.js';
import { unhandledOutcome } from './settlement.js';

/** The rules of a subscription by which a message ends without its handler. */
export interface WithoutHandler {
  readonly crashLimit: number;
  /** Decides how messages end that are not meant for the handler. */
  readonly prefilter?: Prefilter | undefined;
  /** How long a message of an unknown type or a newer version is tried before it is dead-lettered. */
  readonly unknownForMs?: number | undefined;
  /** Whether a message without a key is given up: its order among others is not known. */
  readonly needsKey?: boolean | undefined;
}

const EXPIRED: Outcome = { kind: 'ack', expired: true };

/** How a delivery ends without the handler; null when the handler is to decide. */
export function outcomeWithoutHandler(delivery: PendingDelivery, rules: WithoutHandler): Outcome | null {
  const outcome = delivery.fault ? unreadable(delivery.fault) : outcomeOfMessage(delivery, rules);
  return outcome && orTriedLater(outcome, { triedMs: triedMs(delivery), mostMs: rules.unknownForMs ?? 0 });
}

function outcomeOfMessage(delivery: PendingDelivery, rules: WithoutHandler): Outcome | null {
  if (isExpired(delivery.message)) return EXPIRED;
  const outcome = rules.prefilter?.(delivery.message) ?? outcomeOfCrashes(delivery, rules);
  return outcome ?? (rules.needsKey && delivery.message.key === null ? unhandledOutcome('NO_KEY', noKey(delivery)) : null);
}

/** The time since the first failure, by the clocks of the processes that tried. */
function triedMs({ firstFailedAt }: PendingDelivery): number {
  return firstFailedAt === null ? 0 : Math.max(0, Date.now() - firstFailedAt);
}

function outcomeOfCrashes(delivery: PendingDelivery, { crashLimit }: WithoutHandler): Outcome | null {
  return delivery.crashes >= crashLimit ? unhandledOutcome('CRASH_LOOP', crashLoop(delivery)) : null;
}

/** The text is of a later version, or no message at all. */
function unreadable(error: MillraceError): Outcome {
  return unhandledOutcome(error.code === 'UNSUPPORTED_VERSION' ? error.code : 'MALFORMED_ENVELOPE', error);
}

function noKey({ topic, group }: PendingDelivery): MillraceError {
  return new MillraceError(
    'NO_KEY',
    `The message has no key, and group '${group}' handles topic '${topic}' in order by key. Publish it with a key, or let @Topic say ` +
      "which (key: ...); or order the group by 'partition'.",
  );
}

function crashLoop(delivery: PendingDelivery): MillraceError {
  return new MillraceError(
    'CRASH_LOOP',
    `The process that handled this message vanished ${delivery.crashes} times before it settled it. It is given up so that it takes no more processes down.`,
  );
}
