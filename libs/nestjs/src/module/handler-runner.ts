import { Injectable } from '@nestjs/common';
import type { HandlerPlan } from '../explore/plan.js';
import { JobWorkers } from '../jobs/job-workers.js';
import { Services } from '../rpc/services.js';
import { TransactionCheckers } from '../transactions/transaction-checkers.js';
import { Subscriptions } from '../subscribe/subscriptions.js';
import { Inbox } from './inbox.js';
import { Ledgers } from './ledgers.js';
import { OutboxRunner } from './outbox.js';
import { untilAsked } from './until-asked.js';

/**
 * Runs everything that handles: subscriptions, job workers, services, checks of transactions, the purge of the inbox, the relay
 * of the outbox.
 */
@Injectable()
export class HandlerRunner {
  readonly #subscriptions: Subscriptions;
  readonly #workers: JobWorkers;
  readonly #services: Services;
  readonly #inbox: Inbox;
  readonly #ledgers: Ledgers;
  readonly #checkers: TransactionCheckers;
  readonly #outbox: OutboxRunner;

  constructor(
    subscriptions: Subscriptions, workers: JobWorkers, services: Services, inbox: Inbox, ledgers: Ledgers,
    checkers: TransactionCheckers, outbox: OutboxRunner,
  ) {
    this.#subscriptions = subscriptions;
    this.#workers = workers;
    this.#services = services;
    this.#inbox = inbox;
    this.#ledgers = ledgers;
    this.#checkers = checkers;
    this.#outbox = outbox;
  }

  /** A subscription that waits for others when the process is asked to stop is not started: it rejects with CLOSED. */
  async start(plan: HandlerPlan): Promise<void> {
    await untilAsked((signal) => this.#subscriptions.start(plan, { inbox: this.#inbox.port, signal }));
    await this.#workers.start(plan.jobs, this.#inbox.port);
    await this.#services.start(plan.services);
    await this.#checkers.start(plan.checks);
    this.#inbox.startPurge();
    this.#outbox.start();
  }

  /** Stops fetching, lets handlers finish until the shutdown timeout has passed, and gives the rest back. */
  async stop(): Promise<void> {
    const parts = [this.#subscriptions, this.#workers, this.#services, this.#checkers, this.#outbox];
    await Promise.all([...parts.map((part) => part.stop()), this.#inbox.stopPurge()]);
    await this.#ledgers.stop();
  }
}
