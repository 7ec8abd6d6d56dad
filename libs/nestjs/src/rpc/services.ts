import { Inject, Injectable } from '@nestjs/common';
import { methodPipeline, type ServedMethod, type Serving } from '@millrace/rpc';
import { isObservable } from 'rxjs';
import type { Settings } from '../config/settings.js';
import { Invoker } from '../enhance/invoker.js';
import type { ServicePlan } from '../explore/plan.js';
import { Connections } from '../module/connections.js';
import { Ledgers } from '../module/ledgers.js';
import { SETTINGS } from '../module/tokens.js';

/** The state of a service that this process serves. */
export interface ServiceState {
  readonly service: string;
  readonly version: string;
  /** Its name among the instances of the service. */
  readonly instance: string;
  /** Why it takes no calls, or null when it is well. */
  readonly problem: string | null;
  /** Methods that are executed. */
  readonly running: number;
  /** Those of them for which nobody has waited for 10 seconds. */
  readonly overdue: number;
}

interface Served {
  readonly plan: ServicePlan;
  readonly serving: Serving;
}

/** The services that this process runs. */
@Injectable()
export class Services {
  readonly #connections: Connections;
  readonly #invoker: Invoker;
  readonly #settings: Settings;
  readonly #ledgers: Ledgers;
  readonly #served: Served[] = [];

  constructor(connections: Connections, invoker: Invoker, ledgers: Ledgers, @Inject(SETTINGS) settings: Settings) {
    this.#connections = connections;
    this.#invoker = invoker;
    this.#settings = settings;
    this.#ledgers = ledgers;
  }

  /** How many services are served. */
  get count(): number {
    return this.#served.length;
  }

  async start(plans: readonly ServicePlan[]): Promise<void> {
    if (plans.length === 0) return;
    const rpc = await this.#connections.rpc();
    for (const plan of plans) {
      const { service, version } = plan.contract;
      const tags = [...new Set([...plan.options.tags, ...this.#settings.tags])];
      const serving = await rpc.serve({ ...plan.options, service, version, tags, methods: await this.#methodsOf(plan) });
      this.#served.push({ plan, serving });
    }
  }

  /** Takes no new calls, and lets those at work finish. */
  async stop(): Promise<void> {
    const { shutdownTimeoutMs } = this.#settings;
    await Promise.all(this.#served.map(({ serving }) => serving.stop(shutdownTimeoutMs)));
  }

  states(): ServiceState[] {
    return this.#served.map(stateOf);
  }

  async #methodsOf({ contract, methods }: ServicePlan): Promise<ReadonlyMap<string, ServedMethod>> {
    const { unknownProperties } = this.#settings;
    const { service, version } = contract;
    const made = [...contract.methods.values()].map(async (method): Promise<[string, ServedMethod]> => {
      const handler = methods.get(method.name)!;
      const invoke = method.items === null ? this.#invoker.invokeOf(handler) : this.#invoker.invokeOf(handler, withoutObservable);
      const handle = (request: object | undefined, context: object): Promise<unknown> => invoke(request as object, context);
      const memo = await this.#ledgers.memo(`rpc:${service}:${version}:${method.name}`);
      return [method.name, methodPipeline({ contract, method, unknownProperties, handle, memo })];
    });
    return new Map(await Promise.all(made));
  }
}

/** Nest would wait for the last value of an Observable, which may have none. It is refused in the place of a stream instead. */
function withoutObservable(result: unknown): unknown {
  return isObservable(result) ? NO_STREAM : result;
}

const NO_STREAM = Object.freeze({});

function stateOf({ plan, serving }: Served): ServiceState {
  const { running, overdue } = serving.state();
  const { contract: { service, version }, options: { concurrency } } = plan;
  const isFull = overdue >= concurrency;
  const problem = isFull ? `all ${concurrency} slots are held by methods that go on though nobody waits for them: let them heed context.signal` : null;
  return { service, version, instance: serving.member, problem, running, overdue };
}
