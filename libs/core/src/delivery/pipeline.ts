import { decodePayload } from '../contract/payload.js';
import type { TopicDefinition } from '../contract/topic.js';
import { DeliveryContext } from './context.js';
import type { Delivery } from './delivery.js';
import type { InboxPort } from './inbox-port.js';
import type { Outcome } from './outcome.js';
import type { DeliveryHandler } from './ports.js';
import { outcomeOfFailure, type RetryPolicy } from './retry.js';

export interface PipelineParts {
  readonly topic: TopicDefinition;
  readonly group: string;
  readonly retry: RetryPolicy;
  /** Present: the handler runs inside a transaction with an inbox row, so that its SQL takes effect once. */
  readonly inbox?: InboxPort;
  /** The user's handler with everything that surrounds it. */
  readonly handle: (payload: object, context: DeliveryContext) => Promise<unknown>;
}

/** Puts the policies around a handler: validation, then the inbox, then the handler; what is thrown becomes an outcome. */
export function deliveryPipeline(parts: PipelineParts): DeliveryHandler {
  const where = `message of topic '${parts.topic.name}'`;
  const run = parts.inbox ? withInbox(parts, parts.inbox) : direct(parts);
  return async (delivery) => {
    try {
      return await run(delivery, await decodePayload(parts.topic.payload, delivery.message.payload, where));
    } catch (thrown) {
      return outcomeOfFailure(parts.retry, delivery.attempt, thrown);
    }
  };
}

type Run = (delivery: Delivery, payload: object) => Promise<Outcome>;

function direct(parts: PipelineParts): Run {
  return async (delivery, payload) => {
    await parts.handle(payload, new DeliveryContext(delivery));
    return { kind: 'ack' };
  };
}

function withInbox(parts: PipelineParts, inbox: InboxPort): Run {
  const subscriber = `${parts.topic.name}/${parts.group}`;
  return async (delivery, payload) => {
    const { duplicate } = await inbox.run(subscriber, delivery.message.id, (transaction) =>
      parts.handle(payload, new DeliveryContext(delivery, transaction)),
    );
    return { kind: 'ack', deduplicated: duplicate };
  };
}
