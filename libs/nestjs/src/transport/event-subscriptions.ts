import {
  asError, type DeliveryContext, emit, errorRecord, isMillraceError, Loop, type MillraceError, type Subscription, throwTogether,
  type TopicDefinition, type UnknownProperties,
} from '@millrace/core';
import type { Streams } from '@millrace/streams';
import { Logger } from '@nestjs/common';
import { filterTypeConflicts, uncheckedFilterTypes } from '../explore/filter-types.js';
import type { Inbox } from '../module/inbox.js';
import type { Ledgers } from '../module/ledgers.js';
import { scopeOf, subscriptionDefinition } from '../subscribe/subscription-definition.js';
import type { SubscriptionState } from '../subscribe/subscriptions.js';
import { type EventDefaults, type EventGroup, eventGroups, filterUsesOf, type GroupPlan, planOf } from './event-groups.js';
import { type CallHandler, eventPipeline } from './event-pipeline.js';
import { type EventPlans, NOT_SERVED } from './event-plans.js';
import type { RegisteredHandler } from './handler-book.js';
import type { TransportTopics } from './transport-topics.js';
import { hasWildcard } from './wildcard.js';

/** How often topics are looked for that wildcards stand for and that did not exist before, in milliseconds. */
const LOOK_EVERY_MS = 1_000;
const LOOP = 'topics of wildcards';

export interface EventParts {
  readonly streams: Streams;
  readonly topics: TransportTopics;
  readonly inbox: Pick<Inbox, 'port'>;
  readonly ledgers: Pick<Ledgers, 'of'>;
  readonly handlers: readonly RegisteredHandler[];
  readonly plans: EventPlans;
  readonly defaults: EventDefaults;
  readonly unknownProperties: UnknownProperties;
  readonly call: CallHandler;
  /** Is told of each group of a topic that was found and cannot be served, once for each reason. */
  readonly onError: (error: Error) => void;
}

interface Started {
  readonly topic: string;
  readonly group: string;
  readonly subscription: Subscription;
}

type KeyOf = (payload: object, context: DeliveryContext) => unknown;
type Unserved = Pick<EventGroup, 'topic' | 'group'> & { readonly error: Error };

/** The subscriptions of a server's event handlers. */
export class EventSubscriptions {
  readonly #parts: EventParts;
  readonly #started: Started[] = [];
  /** The topics that need no more looks. */
  readonly #known = new Set<string>();
  /** By their places, those that were found and are not served. */
  readonly #unserved = new Map<string, Unserved>();
  readonly #stopping = new AbortController();
  readonly #loop = new Loop({
    name: LOOP,
    round: () => this.#round(),
    onError: (error, failures) => emit('loop-failed', { loop: LOOP, error: errorRecord(error), failures }),
  });

  constructor(parts: EventParts) {
    this.#parts = parts;
  }

  /** @throws MillraceError INVALID_OPTIONS, UNKNOWN_MESSAGE_TYPE, CONTRACT_CONFLICT, TOPIC_MISMATCH; RedisFailure */
  async start(): Promise<void> {
    for (const { name, pattern, plans } of this.#parts.plans.named) {
      await this.#serve(await this.#parts.topics.of(pattern, name), plans);
      this.#known.add(name);
    }
    if (this.#wild.length === 0) return;
    await this.#look();
    this.#assertAllServed();
    this.#loop.start();
  }

  states(): SubscriptionState[] {
    const running = this.#started.map(({ topic, group, subscription }) => {
      return { topic, group, problem: subscription.problem(), pausedBy: subscription.pausedBy };
    });
    const unserved = [...this.#unserved.values()].map(({ topic, group, error }) => {
      return { topic, group, problem: error.message, pausedBy: [] };
    });
    return [...running, ...unserved];
  }

  /** Stops fetching and lets handlers at work finish. */
  async stop(deadlineMs: number): Promise<void> {
    this.#stopping.abort();
    await Promise.all([this.#stopStarted(deadlineMs), this.#loop.stop()]);
    // A look may have subscribed meanwhile.
    await this.#stopStarted(deadlineMs);
  }

  async #stopStarted(deadlineMs: number): Promise<void> {
    await Promise.all(this.#started.map(({ subscription }) => subscription.stop(deadlineMs)));
  }

  get #wild(): readonly RegisteredHandler[] {
    return this.#parts.handlers.filter(({ route }) => hasWildcard(route));
  }

  /** A look that tells of what it cannot serve, where it has not told so before. */
  async #round(): Promise<number> {
    const told = new Map([...this.#unserved].map(([place, { error }]) => [place, error.message]));
    await this.#look();
    for (const [place, { topic, group, error }] of this.#unserved) {
      if (this.#stopping.signal.aborted || told.get(place) === error.message) continue;
      emit('loop-failed', { loop: LOOP, topic, group, error: errorRecord(error), failures: 1 });
      this.#parts.onError(error);
    }
    return LOOK_EVERY_MS;
  }

  async #look(): Promise<void> {
    const { streams, defaults } = this.#parts;
    for (const { name } of await streams.inspector.topics()) {
      if (this.#stopping.signal.aborted || this.#known.has(name)) continue;
      const groups = eventGroups(name, this.#wild, defaults);
      for (const group of groups) await this.#tryToServe(group);
      if (!groups.some((group) => this.#unserved.has(placeOf(group)))) this.#known.add(name);
    }
  }

  /** One that cannot be served keeps no other one from its events. */
  async #tryToServe(group: EventGroup): Promise<void> {
    if (this.#started.some((each) => placeOf(each) === placeOf(group))) return;
    try {
      await this.#serve(await this.#parts.topics.plain(group.topic), [planOf(group, this.#parts.defaults)]);
      this.#unserved.delete(placeOf(group));
    } catch (thrown) {
      this.#unserved.set(placeOf(group), { topic: group.topic, group: group.group, error: asError(thrown) });
    }
  }

  #assertAllServed(): void {
    const errors = [...this.#unserved.values()].map(({ error }) => error);
    const other = errors.find((error) => !isMillraceError(error));
    if (other) throw other;
    throwTogether(NOT_SERVED, errors as MillraceError[]);
  }

  async #serve(topic: TopicDefinition, plans: readonly GroupPlan[]): Promise<void> {
    const uses = plans.flatMap((plan) => filterUsesOf(topic, plan));
    throwTogether(NOT_SERVED, filterTypeConflicts(uses));
    for (const warning of uncheckedFilterTypes(uses)) new Logger('Millrace').warn(warning);
    await this.#parts.streams.declare(topic);
    for (const plan of plans) {
      const subscription = await this.#subscribe(topic, plan);
      this.#started.push({ topic: topic.name, group: plan.rules.group, subscription });
    }
  }

  async #subscribe(topic: TopicDefinition, { rules, members }: GroupPlan): Promise<Subscription> {
    const { streams, inbox, ledgers, unknownProperties, call } = this.#parts;
    const scope = scopeOf({ topic, group: rules.group });
    const idempotency = rules.idempotency && (await ledgers.of<KeyOf>(scope, rules.idempotency));
    const once = { inbox: rules.inbox ? inbox.port : undefined, idempotency };
    const { prefilter, handler } = eventPipeline({ topic, rules, members, unknownProperties, call, ...once });
    return streams.subscribe({ ...subscriptionDefinition({ ...rules, topic }, this.#stopping.signal), prefilter }, handler);
  }
}

function placeOf({ topic, group }: { readonly topic: string; readonly group: string }): string {
  return `${topic}/${group}`;
}
