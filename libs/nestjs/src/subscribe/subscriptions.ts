import { Inject, Injectable } from '@nestjs/common';
import {
  type AssignedPartition, batchPipeline, BROADCAST_GROUP, type DeadLetterHandler, deadLetterPipeline, deliveryPipeline,
  Forwarding, type InboxPort, type MessageIdempotency, prefilterOf, type Subscription,
} from '@millrace/core';
import { JobForwards } from '@millrace/jobs';
import type { Settings } from '../config/settings.js';
import { Invoker } from '../enhance/invoker.js';
import type { HandlerMethod } from '../explore/handler-method.js';
import type { BroadcastPlan, HandlerPlan, SubscriptionPlan } from '../explore/plan.js';
import { Queues } from '../jobs/queues.js';
import { Connections } from '../module/connections.js';
import { Ledgers } from '../module/ledgers.js';
import { SETTINGS } from '../module/tokens.js';
import { scopeOf, subscriptionDefinition } from './subscription-definition.js';

/** The state of one subscription of this process. */
export interface SubscriptionState {
  readonly topic: string;
  readonly group: string;
  /** Why it makes no progress, or null when it is well. */
  readonly problem: string | null;
  /** The reasons for a pause: the whole group is paused, this process alone is, or it is stopping. */
  readonly pausedBy: Subscription['pausedBy'];
}

interface Circumstances {
  readonly inbox: InboxPort | undefined;
  /** Aborts when the process is asked to stop. */
  readonly signal: AbortSignal;
}

interface Started {
  readonly plan: Pick<SubscriptionPlan, 'topic' | 'group'>;
  readonly subscription: Subscription;
}

/** The subscriptions that this process runs. */
@Injectable()
export class Subscriptions {
  readonly #connections: Connections;
  readonly #invoker: Invoker;
  readonly #settings: Settings;
  readonly #ledgers: Ledgers;
  readonly #forwarding: Forwarding;
  #started: Started[] = [];

  constructor(
    connections: Connections, invoker: Invoker, ledgers: Ledgers, queues: Queues, @Inject(SETTINGS) settings: Settings,
  ) {
    this.#connections = connections;
    this.#invoker = invoker;
    this.#settings = settings;
    this.#ledgers = ledgers;
    const { unknownProperties } = settings;
    const jobs = new JobForwards((name) => queues.find(name), unknownProperties);
    this.#forwarding = new Forwarding({ unknownProperties, jobs });
  }

  /** Starts all of them or, when one fails, none. */
  async start({ subscriptions, broadcasts }: HandlerPlan, given: Circumstances): Promise<void> {
    for (const plan of subscriptions) this.#started.push({ plan, subscription: await this.#subscribe(plan, given) });
    for (const plan of broadcasts) {
      this.#started.push({ plan: { topic: plan.topic, group: BROADCAST_GROUP }, subscription: await this.#broadcast(plan) });
    }
  }

  /** Stops fetching and lets handlers at work finish. */
  async stop(): Promise<void> {
    const { shutdownTimeoutMs } = this.#settings;
    await Promise.all(this.#started.map(({ subscription }) => subscription.stop(shutdownTimeoutMs)));
  }

  find(topic: string, group: string): Subscription | undefined {
    return this.#started.find(({ plan }) => plan.topic.name === topic && plan.group === group)?.subscription;
  }

  states(): SubscriptionState[] {
    return this.#started.map(({ plan: { topic, group }, subscription }) => {
      return { topic: topic.name, group, problem: subscription.problem(), pausedBy: subscription.pausedBy };
    });
  }

  async #subscribe(plan: SubscriptionPlan, { inbox, signal }: Circumstances): Promise<Subscription> {
    const { topic, group, batch, retry, timeoutMs } = plan;
    const streams = await this.#connections.streams();
    const deadLetterHandler = this.#deadLetterHandlerOf(plan);
    const listeners = { onAssigned: listenerOf(plan.onAssigned), onRevoked: listenerOf(plan.onRevoked) };
    const given = { ...subscriptionDefinition(plan, signal), ...listeners, ...(deadLetterHandler && { deadLetterHandler }) };
    const forwarding = this.#forwarding;
    const definition = { ...given, prefilter: prefilterOf(plan), forwardedJobs: forwarding.jobs };
    const { unknownProperties } = this.#settings;
    const idempotency = await this.#idempotencyOf(plan);
    const own = { topic, unknownProperties, group, retry, timeoutMs, forwarding, handle: this.#invoker.invokeOf(plan.method) };
    const memo = await this.#ledgers.memo(scopeOf(plan));
    const parts = { ...own, memo, ...(idempotency && { idempotency }) };
    if (batch) return streams.subscribeBatch(definition, batch, batchPipeline(parts));
    return streams.subscribe(definition, deliveryPipeline({ ...parts, ...(plan.inbox && inbox ? { inbox } : {}) }));
  }

  #idempotencyOf(plan: SubscriptionPlan): Promise<MessageIdempotency> | null {
    return plan.idempotency && this.#ledgers.of(scopeOf(plan), plan.idempotency);
  }

  async #broadcast(plan: BroadcastPlan): Promise<Subscription> {
    const { topic, concurrency, retry, timeoutMs, method } = plan;
    const streams = await this.#connections.streams();
    const handle = this.#invoker.invokeOf(method);
    const { unknownProperties } = this.#settings;
    const handler = deliveryPipeline({ topic, unknownProperties, group: BROADCAST_GROUP, retry, timeoutMs, handle });
    return streams.broadcast({ topic, concurrency, prefilter: prefilterOf(plan) }, handler);
  }

  #deadLetterHandlerOf({ topic, group, retry, timeoutMs, onDeadLetter }: SubscriptionPlan): DeadLetterHandler | null {
    if (!onDeadLetter) return null;
    const invoke = this.#invoker.invokeOf(onDeadLetter);
    const { unknownProperties } = this.#settings;
    const parts = { topic, unknownProperties, group, retry, timeoutMs };
    return deadLetterPipeline({ ...parts, handle: (payload, context) => invoke(payload as object, context) });
  }
}

/** Called as a lifecycle hook is: nothing of Nest surrounds it. */
function listenerOf<P extends AssignedPartition>(method: HandlerMethod | null): ((partition: P) => Promise<void>) | undefined {
  if (!method) return undefined;
  const { wrapper: { instance }, name } = method;
  return async (partition) => {
    await (Reflect.get(instance, name) as (partition: P) => unknown).call(instance, partition);
  };
}
