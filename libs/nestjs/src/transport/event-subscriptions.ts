import {
  type DeliveryContext, deliveryPipeline, emit, errorRecord, Loop, prefilterOf, type Subscription, type TopicDefinition,
  type UnknownProperties,
} from '@millrace/core';
import type { Streams } from '@millrace/streams';
import { subscriptionDefinition } from '../subscribe/subscription-definition.js';
import { type EventDefaults, type EventGroup, eventGroups, typeOf } from './event-groups.js';
import type { RegisteredHandler } from './handler-book.js';
import { walk } from './handler-walk.js';
import { MillraceContext } from './millrace-context.js';
import type { TransportTopics } from './transport-topics.js';
import { hasWildcard } from './wildcard.js';
import { eventIn } from './wire.js';

/** How often topics are looked for that wildcards stand for and that did not exist before, in milliseconds. */
const LOOK_EVERY_MS = 1_000;

export interface EventParts {
  readonly streams: Streams;
  readonly topics: TransportTopics;
  readonly handlers: readonly RegisteredHandler[];
  readonly defaults: EventDefaults;
  readonly unknownProperties: UnknownProperties;
  /** Calls a handler with all that Nest puts around it; resolves when it has ended. */
  readonly call: (handler: RegisteredHandler, data: unknown, context: MillraceContext) => Promise<unknown>;
}

/** The subscriptions of a server's event handlers. */
export class EventSubscriptions {
  readonly #parts: EventParts;
  readonly #started: Subscription[] = [];
  readonly #known = new Set<string>();
  readonly #stopping = new AbortController();
  readonly #loop = new Loop({
    name: 'topics of wildcards',
    round: () => this.#look(),
    onError: (error, failures) => emit('loop-failed', { loop: 'topics of wildcards', error: errorRecord(error), failures }),
  });

  constructor(parts: EventParts) {
    this.#parts = parts;
  }

  /** @throws MillraceError INVALID_OPTIONS, TOPIC_MISMATCH; RedisFailure */
  async start(): Promise<void> {
    const { handlers, defaults } = this.#parts;
    const named = new Map(handlers.filter(({ route }) => !hasWildcard(route)).map((handler) => [handler.route, handler.pattern]));
    const withClass = handlers.filter(({ pattern }) => typeof pattern !== 'string').map(({ route, pattern }) => [route, pattern] as const);
    for (const [route, pattern] of withClass) named.set(route, pattern);
    // All mistakes in options are found before anything is subscribed.
    const planned = [...named].map(([name, pattern]) => ({ name, pattern, groups: eventGroups(name, handlers, defaults) }));
    for (const { name, pattern, groups } of planned) await this.#subscribe(await this.#parts.topics.of(pattern, name), groups);
    if (!handlers.some(({ route }) => hasWildcard(route))) return;
    await this.#look();
    this.#loop.start();
  }

  /** Stops fetching and lets handlers at work finish. */
  async stop(deadlineMs: number): Promise<void> {
    this.#stopping.abort();
    const subscriptions = (): Promise<unknown> => Promise.all(this.#started.map((subscription) => subscription.stop(deadlineMs)));
    await Promise.all([subscriptions(), this.#loop.stop()]);
    // A look may have subscribed meanwhile.
    await subscriptions();
  }

  async #look(): Promise<number> {
    const { streams, handlers, defaults, topics } = this.#parts;
    const wild = handlers.filter(({ route }) => hasWildcard(route));
    for (const { name } of await streams.inspector.topics()) {
      if (this.#stopping.signal.aborted || this.#known.has(name)) continue;
      const groups = eventGroups(name, wild, defaults);
      if (groups.length > 0) await this.#subscribe(await topics.plain(name), groups);
      this.#known.add(name);
    }
    return LOOK_EVERY_MS;
  }

  async #subscribe(topic: TopicDefinition, groups: readonly EventGroup[]): Promise<void> {
    this.#known.add(topic.name);
    try {
      await this.#parts.streams.declare(topic);
      for (const group of groups) this.#started.push(await this.#start(topic, group));
    } catch (error) {
      this.#known.delete(topic.name);
      throw error;
    }
  }

  #start(topic: TopicDefinition, { rules, handlers }: EventGroup): Promise<Subscription> {
    const { streams, unknownProperties } = this.#parts;
    const { group, retry, timeoutMs } = rules;
    const place = { topic: topic.name, group };
    const policy = { ...retry, place };
    const handle = (payload: unknown, delivery: DeliveryContext): Promise<void> =>
      walk(this.#called(handlers, payload, delivery), policy, delivery.attempt);
    const pipeline = deliveryPipeline({ topic, unknownProperties, group, retry, timeoutMs, handle });
    const definition = subscriptionDefinition({ ...rules, topic }, this.#stopping.signal);
    return streams.subscribe({ ...definition, prefilter: prefilterOf({ topic, type: onlyTypeOf(handlers) }) }, pipeline);
  }

  #called(handlers: readonly RegisteredHandler[], payload: unknown, delivery: DeliveryContext): Promise<unknown>[] {
    const { data, headers, metadata } = eventIn({ payload, headers: delivery.headers });
    const { topic: subject, messageId, attempt, key, partition, offset } = delivery;
    const facts = { subject, headers, metadata, messageId, attempt, key, partition, offset, signal: () => delivery.signal };
    const wanted = handlers.filter((handler) => isWanted(handler, payload));
    return wanted.map((handler) => this.#parts.call(handler, data, new MillraceContext({ ...facts, pattern: handler.route })));
  }
}

/** Messages of other types are not for any of them. */
function onlyTypeOf(handlers: readonly RegisteredHandler[]): string | null {
  const names = new Set(handlers.map((handler) => typeOf(handler)?.name ?? null));
  return names.size === 1 ? [...names][0]! : null;
}

function isWanted(handler: RegisteredHandler, payload: unknown): boolean {
  const type = typeOf(handler);
  return type === null || payload instanceof type.payload;
}
