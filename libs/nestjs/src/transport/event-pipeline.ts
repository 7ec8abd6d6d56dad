import {
  type DeliveryContext, type DeliveryHandler, deliveryPipeline, type InboxPort, type MessageIdempotency, type Prefilter,
  prefilterOf, type TopicDefinition, type UnknownProperties,
} from '@millrace/core';
import type { SubscriptionRules } from '../explore/declared-handlers.js';
import type { GroupMember } from './event-groups.js';
import type { RegisteredHandler } from './handler-book.js';
import { walk } from './handler-walk.js';
import { MillraceContext } from './millrace-context.js';
import { eventIn } from './wire.js';

/** Calls a handler with all that Nest puts around it; resolves when it has ended. */
export type CallHandler = (handler: RegisteredHandler, data: unknown, context: MillraceContext) => Promise<unknown>;

export interface EventPipelineParts {
  readonly topic: TopicDefinition;
  readonly rules: SubscriptionRules;
  readonly members: readonly GroupMember[];
  readonly unknownProperties: UnknownProperties;
  readonly inbox: InboxPort | undefined;
  readonly idempotency: MessageIdempotency | null;
  readonly call: CallHandler;
}

/** The way of the events of one group to its handlers. */
export interface EventPipeline {
  /** Lets a message pass that is for one of the handlers at least. */
  readonly prefilter: Prefilter;
  /** Calls those that the message is for. */
  readonly handler: DeliveryHandler;
}

export function eventPipeline(parts: EventPipelineParts): EventPipeline {
  const { topic, members } = parts;
  const all = members.map(({ handler, type, filter }) => ({ handler, prefilter: prefilterOf({ topic, type, filter }) }));
  const [first, second] = all;
  if (first && !second) return { prefilter: first.prefilter, handler: pipelineOf(parts, [first.handler]) };
  const pipelines = new Map<string, DeliveryHandler>();
  return {
    prefilter: (message) => {
      const outcomes = all.map(({ prefilter }) => prefilter(message));
      const isForNone = outcomes.every((outcome) => outcome?.kind === 'ack');
      return (isForNone ? outcomes[0] : outcomes.find((outcome) => outcome?.kind !== 'ack')) ?? null;
    },
    handler: (delivery) => {
      const wanted = all.filter(({ prefilter }) => prefilter(delivery.message) === null);
      const name = wanted.map((each) => all.indexOf(each)).join();
      const pipeline = pipelines.get(name) ?? pipelineOf(parts, wanted.map(({ handler }) => handler));
      pipelines.set(name, pipeline);
      return pipeline(delivery);
    },
  };
}

/** An inbox and a ledger are there for a handler that is alone. */
function pipelineOf(parts: EventPipelineParts, handlers: readonly RegisteredHandler[]): DeliveryHandler {
  const { topic, unknownProperties, inbox, idempotency, call, rules: { group, retry, timeoutMs } } = parts;
  const policy = { ...retry, place: { topic: topic.name, group } };
  const handle = (payload: unknown, delivery: DeliveryContext): Promise<void> =>
    walk(called({ handlers, call }, payload, delivery), policy, delivery.attempt);
  const once = { ...(inbox && { inbox }), ...(idempotency && { idempotency }) };
  return deliveryPipeline({ topic, unknownProperties, group, retry, timeoutMs, ...once, handle });
}

interface Callees {
  readonly handlers: readonly RegisteredHandler[];
  readonly call: CallHandler;
}

function called({ handlers, call }: Callees, payload: unknown, delivery: DeliveryContext): Promise<unknown>[] {
  const { data, headers, metadata } = eventIn({ payload, headers: delivery.headers });
  const { topic: subject, messageId, attempt, key, partition, offset } = delivery;
  const place = { subject, messageId, attempt, key, partition, offset };
  const facts = { ...place, headers, metadata, signal: () => delivery.signal, delivery };
  return handlers.map((handler) => call(handler, data, new MillraceContext({ ...facts, pattern: handler.route })));
}
