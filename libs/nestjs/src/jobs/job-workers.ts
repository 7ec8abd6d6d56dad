import { Inject, Injectable } from '@nestjs/common';
import type { InboxPort } from '@millrace/core';
import { bullConnection, type JobIdempotency, type JobRegistration, type JobWorker, startJobWorker, type StuckJob } from '@millrace/jobs';
import type { Settings } from '../config/settings.js';
import { Invoker } from '../enhance/invoker.js';
import type { JobPlan } from '../explore/plan.js';
import { groupedBy } from '../explore/same-name.js';
import { Ledgers } from '../module/ledgers.js';
import { SETTINGS } from '../module/tokens.js';

/** The state of this process's worker of one queue. */
export interface JobWorkerState {
  readonly queue: string;
  /** Why it makes no progress, or null when it is well. */
  readonly problem: string | null;
  /** At most ten jobs whose handlers do not end: for 5 minutes, or beyond their attempt, such as past their timeout. */
  readonly stuck: readonly StuckJob[];
}

/** The job workers that this process runs, one a queue. */
@Injectable()
export class JobWorkers {
  readonly #invoker: Invoker;
  readonly #settings: Settings;
  readonly #ledgers: Ledgers;
  readonly #started = new Map<string, JobWorker>();

  constructor(invoker: Invoker, ledgers: Ledgers, @Inject(SETTINGS) settings: Settings) {
    this.#invoker = invoker;
    this.#settings = settings;
    this.#ledgers = ledgers;
  }

  async start(plans: readonly JobPlan[], inbox: InboxPort | undefined): Promise<void> {
    for (const [queue, handlers] of groupedBy(plans, ({ job }) => job.queue)) {
      this.#started.set(queue, await this.#startWorker(queue, handlers, inbox));
    }
  }

  /** Stops fetching and lets handlers at work finish. */
  async stop(): Promise<void> {
    const { shutdownTimeoutMs } = this.#settings;
    await Promise.all([...this.#started.values()].map((worker) => worker.stop(shutdownTimeoutMs)));
  }

  states(): JobWorkerState[] {
    return [...this.#started].map(([queue, worker]) => ({ queue, problem: worker.problem(), stuck: worker.stuck() }));
  }

  async #startWorker(queue: string, plans: readonly JobPlan[], inbox: InboxPort | undefined): Promise<JobWorker> {
    const { redis, prefix, leaseMs } = this.#settings;
    const registrations = await Promise.all(plans.map((plan) => this.#registration(plan, inbox)));
    return startJobWorker({
      queue,
      connection: bullConnection(redis, 'worker'),
      prefix,
      concurrency: Math.max(...plans.map(({ concurrency }) => concurrency)),
      handlers: new Map(registrations.map((registration) => [registration.definition.name, registration])),
      lockDurationMs: leaseMs,
    });
  }

  async #registration(plan: JobPlan, inbox: InboxPort | undefined): Promise<JobRegistration> {
    const { job: definition, timeoutMs, method } = plan;
    const idempotency = await this.#idempotencyOf(plan);
    const { unknownProperties } = this.#settings;
    const handle = this.#invoker.invokeOf(method);
    const memo = await this.#ledgers.memo(scopeOf(plan));
    const once = { memo, ...(plan.inbox ? { inbox } : {}), ...(idempotency && { idempotency }) };
    return { definition, unknownProperties, timeoutMs, ...once, handle };
  }

  #idempotencyOf(plan: JobPlan): Promise<JobIdempotency> | null {
    return plan.idempotency && this.#ledgers.of(scopeOf(plan), plan.idempotency);
  }
}

/** The name of the ledger of a job. */
function scopeOf({ job: { queue, name } }: JobPlan): string {
  return `queue:${queue}:${name}`;
}
