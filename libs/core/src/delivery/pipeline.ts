import { payloadClassOf } from '../contract/message-type.js';
import { chain, type Middleware } from '../middleware/chain.js';
import { decoding } from '../middleware/decoding.js';
import { type Idempotency, idempotencyId, idempotent } from '../middleware/idempotency.js';
import { type InboxEntry, inboxed } from '../middleware/inbox.js';
import { outcomes } from '../middleware/outcomes.js';
import { timing } from '../middleware/timing.js';
import { tracing } from '../middleware/tracing.js';
import { Verdict } from '../middleware/verdict.js';
import type { SpanFacts } from '../trace/spans.js';
import type { TraceHeaders } from '../trace/trace-context.js';
import type { LedgerUse } from '../ledger/ledger-turn.js';
import type { MemoPort } from '../memo/memo-port.js';
import { DeliveryContext } from './context.js';
import { inboxId, isExpired } from './delivery.js';
import type { Forwarding } from './forwards.js';
import type { InboxPort } from './inbox-port.js';
import { type AttemptMeans, MessageAttempt } from './message-attempt.js';
import { messagePlace, type MessageSource } from './message-place.js';
import type { DeliveryHandler } from './ports.js';
import type { RetryPolicy } from './retry.js';

export interface PipelineParts extends MessageSource {
  readonly group: string;
  readonly retry: RetryPolicy;
  /** How long one attempt of the handler may take; null or absent for as long as it likes. */
  readonly timeoutMs?: number | null;
  /** Present: the handler runs inside a transaction with an inbox row, so that its SQL takes effect once. */
  readonly inbox?: InboxPort;
  /** Present: messages with the same key are handled once, as the ledger of the group knows. */
  readonly idempotency?: MessageIdempotency;
  /** Present: handlers may forward messages and jobs, which go out with the settlement. */
  readonly forwarding?: Forwarding | undefined;
  /** Remembers the results of `ctx.once`. Absent: it cannot be used. */
  readonly memo?: MemoPort;
  /** The user's handler with everything that surrounds it. */
  readonly handle: (payload: object, context: DeliveryContext) => Promise<unknown>;
}

/** The ledger of a group, and the key of its messages. */
export interface MessageIdempotency extends Pick<LedgerUse, 'ledger' | 'holder'> {
  /** Absent: the id of the message. */
  readonly keyOf?: ((payload: object, context: DeliveryContext) => unknown) | undefined;
}

/** Puts the policies around a handler of messages. */
export function deliveryPipeline(parts: PipelineParts): DeliveryHandler {
  const { topic, inbox, idempotency, timeoutMs = null, handle } = parts;
  const means = meansOf(parts);
  const policy = retryOf(parts);
  const around: Middleware<MessageAttempt>[] = [
    decoding(({ delivery }) => payloadClassOf(topic, delivery.message), messagePlace(parts)),
    tracing(headersOf, factsOf),
    ...(idempotency ? [idempotent(idempotencyOf(parts, idempotency), (next) => outcomes(policy, next))] : []),
    ...(inbox ? [inboxed(inbox, inboxEntryOf(parts)), unexpired] : []),
    timing(timeoutMs, signalOf),
  ];
  const decide = outcomes(
    policy,
    chain(around, (attempt) => handle(attempt.payload as object, new DeliveryContext(attempt.delivery, attempt))),
  );
  return (delivery) => decide(new MessageAttempt(delivery, means));
}

export function meansOf({ memo, forwarding, idempotency }: Pick<PipelineParts, 'memo' | 'forwarding' | 'idempotency'>): AttemptMeans {
  return { memo, forwarding: idempotency && forwarding ? 'in-ledger' : forwarding };
}

/** The policy of a group, with its place for events. */
export function retryOf({ retry, topic, group }: Pick<PipelineParts, 'retry' | 'topic' | 'group'>): RetryPolicy {
  return { ...retry, place: { topic: topic.name, group } };
}

export function headersOf({ delivery }: MessageAttempt): TraceHeaders {
  return delivery.message.headers;
}

/** A message as a tracer knows it. */
export function factsOf({ delivery }: MessageAttempt): SpanFacts {
  const { topic, group, partition, attempt, message } = delivery;
  return { operation: 'process', target: topic, group, partition, attempt, messageId: message.id };
}

export function signalOf({ delivery }: MessageAttempt): AbortSignal {
  return delivery.signal;
}

/** How messages of a group are kept from being handled twice. */
export function idempotencyOf(
  parts: MessageSource & Pick<PipelineParts, 'group'>,
  { ledger, holder, keyOf }: MessageIdempotency,
): Idempotency<MessageAttempt> {
  const { topic, group } = parts;
  return {
    ledger,
    holder,
    place: { topic: topic.name, group },
    idOf: ({ delivery, payload }) => {
      const { message, replay = 0, forced = false } = delivery;
      const chosen = (): unknown => (keyOf ? keyOf(payload as object, new DeliveryContext(delivery)) : message.id);
      return idempotencyId(chosen, { where: `message ${message.id} of topic '${topic.name}'`, replay: forced ? replay : 0 });
    },
  };
}

/** The entry of a message in the inbox; an owner of its partition is one who can be fenced. */
function inboxEntryOf({ topic, group }: PipelineParts): (attempt: MessageAttempt) => InboxEntry {
  const name = `${topic.name}/${group}`;
  return ({ delivery }) => {
    const { owner, partition } = delivery;
    return { subscriber: owner ? { name, partition, owner } : name, messageId: inboxId(delivery) };
  };
}

const EXPIRED = new Verdict({ kind: 'ack', expired: true });

/** It may have waited long for its transaction. */
const unexpired: Middleware<MessageAttempt> = (next) => (attempt) =>
  isExpired(attempt.delivery.message) ? EXPIRED : next(attempt);
