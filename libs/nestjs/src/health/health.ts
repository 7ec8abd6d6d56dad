import { Injectable } from '@nestjs/common';
import { asError } from '@millrace/core';
import { type JobWorkerState, JobWorkers } from '../jobs/job-workers.js';
import { Connections } from '../module/connections.js';
import { Lifecycle, type LifecycleState } from '../module/lifecycle.js';
import { OutboxRunner, type OutboxState } from '../module/outbox.js';
import { Services, type ServiceState } from '../rpc/services.js';
import { type SubscriptionState, Subscriptions } from '../subscribe/subscriptions.js';

/** `ok: false` is worth a restart. */
export interface Liveness {
  readonly ok: boolean;
  readonly state: LifecycleState;
}

/** `ok: false` means that this process does not do its work at the moment. */
export interface Readiness extends Liveness {
  readonly redis: { readonly ok: boolean; readonly problem: string | null };
  readonly subscriptions: readonly SubscriptionState[];
  readonly workers: readonly JobWorkerState[];
  readonly services: readonly ServiceState[];
  /** Null where no relay of the outbox runs. */
  readonly outbox: OutboxState | null;
}

/** Reports the state of this process. */
@Injectable()
export class Health {
  readonly #lifecycle: Lifecycle;
  readonly #connections: Connections;
  readonly #subscriptions: Subscriptions;
  readonly #workers: JobWorkers;
  readonly #services: Services;
  readonly #outbox: OutboxRunner;

  constructor(
    lifecycle: Lifecycle, connections: Connections, subscriptions: Subscriptions, workers: JobWorkers, services: Services,
    outbox: OutboxRunner,
  ) {
    this.#lifecycle = lifecycle;
    this.#connections = connections;
    this.#subscriptions = subscriptions;
    this.#workers = workers;
    this.#services = services;
    this.#outbox = outbox;
  }

  /** An answer shows that the event loop turns. An unreachable Redis is no reason to restart, because loops wait for it. */
  live(): Liveness {
    const { state } = this.#lifecycle;
    return { ok: state !== 'stopped', state };
  }

  /** Never waits longer than a command to Redis may take, 2 seconds. */
  async ready(): Promise<Readiness> {
    const { state } = this.#lifecycle;
    const problem = state === 'running' ? await this.#redisProblem() : `the application is ${state}`;
    const subscriptions = this.#subscriptions.states();
    const workers = this.#workers.states();
    const services = this.#services.states();
    const outbox = this.#outbox.state();
    const parts = [...subscriptions, ...workers, ...services, ...(outbox ? [outbox] : [])];
    const ok = problem === null && parts.every((item) => item.problem === null);
    return { ok, state, redis: { ok: problem === null, problem }, subscriptions, workers, services, outbox };
  }

  async #redisProblem(): Promise<string | null> {
    try {
      await (await this.#connections.redis()).ping();
      return null;
    } catch (thrown) {
      return asError(thrown).message;
    }
  }
}
