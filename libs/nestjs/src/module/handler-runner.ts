import { Injectable } from '@nestjs/common';
import type { HandlerPlan } from '../explore/plan.js';
import { JobWorkers } from '../jobs/job-workers.js';
import { Services } from '../rpc/services.js';
import { Subscriptions } from '../subscribe/subscriptions.js';
import { Inbox } from './inbox.js';
import { OutboxRunner } from './outbox.js';
import { untilAsked } from './until-asked.js';

/** Runs everything that handles: subscriptions, job workers, services, the purge of the inbox, the relay of the outbox. */
@Injectable()
export class HandlerRunner {
  readonly #subscriptions: Subscriptions;
  readonly #workers: JobWorkers;
  readonly #services: Services;
  readonly #inbox: Inbox;
  readonly #outbox: OutboxRunner;

  constructor(subscriptions: Subscriptions, workers: JobWorkers, services: Services, inbox: Inbox, outbox: OutboxRunner) {
    this.#subscriptions = subscriptions;
    this.#workers = workers;
    this.#services = services;
    this.#inbox = inbox;
    this.#outbox = outbox;
  }

  /** A subscription that waits for others when the process is asked to stop is not started: it rejects with CLOSED. */
  async start(plan: HandlerPlan): Promise<void> {
    await untilAsked((signal) => this.#subscriptions.start(plan, { inbox: this.#inbox.port, signal }));
    await this.#workers.start(plan.jobs, this.#inbox.port);
    await this.#services.start(plan.services);
    this.#inbox.startPurge();
    this.#outbox.start();
  }

  /** Stops fetching, lets handlers finish until the shutdown timeout has passed, and gives the rest back. */
  async stop(): Promise<void> {
    const handlers = [this.#subscriptions.stop(), this.#workers.stop(), this.#services.stop()];
    await Promise.all([...handlers, this.#inbox.stopPurge(), this.#outbox.stop()]);
  }
}
