import { payloadClassOf } from '../contract/message-type.js';
import { decoded } from '../contract/payload.js';
import { OwnerFencedError } from '../errors.js';
import { DeliveryContext } from './context.js';
import { type Delivery, goesBack, inboxId, isExpired } from './delivery.js';
import type { InboxPort } from './inbox-port.js';
import { runInTurn } from './inbox-turn.js';
import { decided } from './lease.js';
import { messagePlace, type MessageSource } from './message-place.js';
import type { Outcome } from './outcome.js';
import type { DeliveryHandler } from './ports.js';
import { runWithTrace } from '../trace/trace-context.js';
import { outcomeOfFailure, type RetryPolicy } from './retry.js';
import type { SqlTransaction } from './sql-transaction.js';
import { withinLimit } from './time-limit.js';

export interface PipelineParts extends MessageSource {
  readonly group: string;
  readonly retry: RetryPolicy;
  /** How long one attempt of the handler may take; null or absent for as long as it likes. */
  readonly timeoutMs?: number | null;
  /** Present: the handler runs inside a transaction with an inbox row, so that its SQL takes effect once. */
  readonly inbox?: InboxPort;
  /** The user's handler with everything that surrounds it. */
  readonly handle: (payload: object, context: DeliveryContext) => Promise<unknown>;
}

/**
 * Puts the policies around a handler: validation, then the inbox, then the time limit, then the handler; what is thrown
 * becomes an outcome.
 */
export function deliveryPipeline(parts: PipelineParts): DeliveryHandler {
  const place = messagePlace(parts);
  const retry = { ...parts.retry, place: { topic: parts.topic.name, group: parts.group } };
  const once = parts.inbox ? withInbox(parts, parts.inbox) : null;
  return async (delivery) => {
    try {
      const { message } = delivery;
      const decoding = decoded(payloadClassOf(parts.topic, message), message.payload, place);
      // Each promise costs as much as a rule: it is waited for only where there is something to wait for.
      const payload = decoding instanceof Promise ? await decoding : decoding;
      // Rules may take their time: a message that goes back meanwhile is not begun here.
      if (decoding instanceof Promise && goesBack(delivery)) return { kind: 'release' };
      if (once) return decided(delivery.lease, await runWithTrace(message.headers, () => once(delivery, payload)));
      await runWithTrace(message.headers, () => attempt(parts, payload, { delivery }));
      return decided(delivery.lease, HANDLED);
    } catch (thrown) {
      return decided(delivery.lease, failed(retry, delivery, thrown));
    }
  };
}

const HANDLED: Outcome = { kind: 'ack' };

/** A member that the database takes for no owner of the partition has not handled the message: that is no attempt. */
function failed(retry: RetryPolicy, { owner, attempt: number }: Delivery, thrown: unknown): Outcome {
  if (owner && thrown instanceof OwnerFencedError) return { kind: 'release', fencedBy: thrown.knownEpoch };
  return outcomeOfFailure(retry, number, thrown);
}

function withInbox(parts: PipelineParts, inbox: InboxPort): (delivery: Delivery, payload: object) => Promise<Outcome> {
  const name = `${parts.topic.name}/${parts.group}`;
  return async (delivery, payload) => {
    const { message, lease, paused, owner, partition } = delivery;
    const subscriber = owner ? { name, partition, owner } : name;
    const turn = { inbox, subscriber, messageId: inboxId(delivery), lease, paused };
    const result = await runInTurn(turn, async (transaction): Promise<Outcome> => {
      // It may have waited long for its transaction.
      if (isExpired(message)) return { kind: 'ack', expired: true };
      await attempt(parts, payload, { delivery, transaction });
      return { kind: 'ack', deduplicated: false };
    });
    if (result === 'goes-back') return { kind: 'release' };
    return result.duplicate ? { kind: 'ack', deduplicated: true } : result.value;
  };
}

interface Attempt {
  readonly delivery: Delivery;
  readonly transaction?: SqlTransaction;
}

/** Inside the inbox, so that what runs out of time is rolled back. */
function attempt(parts: PipelineParts, payload: object, { delivery, transaction }: Attempt): Promise<unknown> {
  const { timeoutMs = null } = parts;
  if (timeoutMs === null) return parts.handle(payload, new DeliveryContext(delivery, transaction && { transaction }));
  return withinLimit(timeoutMs, delivery.signal, async (signal) =>
    parts.handle(payload, new DeliveryContext(delivery, { signal, transaction })),
  );
}
