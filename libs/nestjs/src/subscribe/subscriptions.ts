import { Inject, Injectable } from '@nestjs/common';
import { deliveryPipeline, type InboxPort, type Subscription } from '@millrace/core';
import type { Settings } from '../config/settings.js';
import { Invoker } from '../enhance/invoker.js';
import type { SubscriptionPlan } from '../explore/plan.js';
import { Connections } from '../module/connections.js';
import { SETTINGS } from '../module/tokens.js';

/** Where one subscription of this process stands. */
export interface SubscriptionState {
  readonly topic: string;
  readonly group: string;
  /** Why it makes no progress, or null when it is well. */
  readonly problem: string | null;
}

interface Started {
  readonly plan: SubscriptionPlan;
  readonly subscription: Subscription;
}

/** The subscriptions that this process runs. */
@Injectable()
export class Subscriptions {
  readonly #connections: Connections;
  readonly #invoker: Invoker;
  readonly #stopWithinMs: number;
  #started: Started[] = [];

  constructor(connections: Connections, invoker: Invoker, @Inject(SETTINGS) { shutdownTimeoutMs }: Settings) {
    this.#connections = connections;
    this.#invoker = invoker;
    this.#stopWithinMs = shutdownTimeoutMs;
  }

  /** Starts all of them or, when one fails, none. */
  async start(plans: readonly SubscriptionPlan[], inbox: InboxPort | undefined): Promise<void> {
    for (const plan of plans) this.#started.push({ plan, subscription: await this.#subscribe(plan, inbox) });
  }

  /** Stops fetching and lets handlers at work finish. */
  async stop(): Promise<void> {
    await Promise.all(this.#started.map(({ subscription }) => subscription.stop(this.#stopWithinMs)));
  }

  states(): SubscriptionState[] {
    return this.#started.map(({ plan: { topic, group }, subscription }) => {
      return { topic: topic.name, group, problem: subscription.problem() };
    });
  }

  async #subscribe(plan: SubscriptionPlan, inbox: InboxPort | undefined): Promise<Subscription> {
    const { topic, group, concurrency, crashLimit, retry } = plan;
    const invoke = this.#invoker.invokeOf(plan.method);
    const handler = deliveryPipeline({ topic, group, retry, ...(plan.inbox ? { inbox } : {}), handle: invoke });
    const streams = await this.#connections.streams();
    return streams.subscribe({ topic, group, concurrency, crashLimit }, handler);
  }
}
