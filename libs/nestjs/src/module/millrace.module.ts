import { ConfigurableModuleBuilder, type DynamicModule, Global, Module, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { DiscoveryModule, ModulesContainer } from '@nestjs/core';
import { MillraceError, Publisher } from '@millrace/core';
import { JobQueue } from '@millrace/jobs';
import { Outbox } from '@millrace/outbox';
import { Balancer } from '@millrace/rpc';
import { DeadLetters, Groups, Halves, Inspector, Orders, Topics } from '@millrace/streams';
import type { MillraceOptions } from '../config/millrace-options.js';
import { readSettings, type WorkerRole } from '../config/settings.js';
import { Invoker } from '../enhance/invoker.js';
import { Contracts } from '../explore/contracts.js';
import { HandlerFinder } from '../explore/handler-finder.js';
import { HandlerPlanner } from '../explore/handler-planner.js';
import { Health } from '../health/health.js';
import { MillraceHealthIndicator } from '../health/millrace-health.indicator.js';
import { IdempotencyInterceptor } from '../http/idempotency/idempotency.interceptor.js';
import { RequestLedgers } from '../http/idempotency/request-ledgers.js';
import { queueConfiguration } from '../jobs/feature-queues.js';
import { JobWorkers } from '../jobs/job-workers.js';
import { Queues } from '../jobs/queues.js';
import { EventLog } from '../log/event-log.js';
import { Calls } from '../rpc/calls.js';
import { balancerProvider, KnownInstances } from '../rpc/known-instances.js';
import { ServiceInstances } from '../rpc/service-instances.js';
import { Services } from '../rpc/services.js';
import { LocalSubscriptions } from '../subscribe/local-subscriptions.js';
import { Subscriptions } from '../subscribe/subscriptions.js';
import { Telemetry } from '../telemetry/telemetry.js';
import { TransactionCheckers } from '../transactions/transaction-checkers.js';
import { AbsenceWatch } from './absence-watch.js';
import { Administration } from './administration.js';
import { BootReport } from './boot-report.js';
import { Connections } from './connections.js';
import { type FeatureEntry, MillraceFeatureModule } from './feature.module.js';
import { HandlerRunner } from './handler-runner.js';
import { Inbox } from './inbox.js';
import { Ledgers } from './ledgers.js';
import { lateConnections } from './late-connections.js';
import { LifecycleModule } from './lifecycle.module.js';
import { Lifecycle } from './lifecycle.js';
import { outboxProvider, OutboxRunner } from './outbox.js';
import { Resources } from './resources.js';
import { SignalCheck } from './signal-check.js';
import { DATABASE, SETTINGS, WORKER_ROLE } from './tokens.js';

const { ConfigurableModuleClass, MODULE_OPTIONS_TOKEN } = new ConfigurableModuleBuilder<MillraceOptions>({ moduleName: 'Millrace' })
  .setClassMethodName('forRoot')
  .build();

const settings = {
  provide: SETTINGS,
  inject: [MODULE_OPTIONS_TOKEN, { token: WORKER_ROLE, optional: true }],
  useFactory: (options: MillraceOptions, role?: WorkerRole) => readSettings(options, process.env, role),
};

/**
 * Publish/subscribe, jobs and calls for a whole application: imported once, by `forRoot` or `forRootAsync`. Everything it gives
 * (`Publisher`, `JobQueue`, `Inspector`, `DeadLetters`, `Groups`, `Orders`, `Topics`, `Halves`, `LocalSubscriptions`, `Ledgers`,
 * `Health`, `MillraceHealthIndicator`, `Calls`, `ServiceInstances`, `Balancer`, `Outbox`, `Telemetry`, `Administration`,
 * `@InjectDatabase()`) can be injected everywhere.
 */
@Global()
@Module({
  imports: [DiscoveryModule, LifecycleModule],
  providers: [
    settings, queueConfiguration, ...lateConnections, AbsenceWatch, Administration, BootReport,
    Calls, Connections, EventLog, HandlerFinder, HandlerPlanner,
    HandlerRunner, Health, Contracts, Inbox, Invoker, JobWorkers, Ledgers, Lifecycle, LocalSubscriptions,
    MillraceHealthIndicator, Queues, Resources, ServiceInstances, Services, SignalCheck, Subscriptions,
    KnownInstances, Telemetry, balancerProvider, RequestLedgers, IdempotencyInterceptor, TransactionCheckers, outboxProvider,
    OutboxRunner,
  ],
  exports: [
    SETTINGS, DATABASE, queueConfiguration.provide, Publisher, JobQueue, Inspector, DeadLetters, Groups, Orders, Topics, Halves,
    LocalSubscriptions, Ledgers, Health, MillraceHealthIndicator, Lifecycle, Contracts, Calls, ServiceInstances,
    Balancer, RequestLedgers, Outbox, Telemetry, Administration,
  ],
})
export class MillraceModule extends ConfigurableModuleClass implements OnModuleInit, OnApplicationShutdown {
  readonly #lifecycle: Lifecycle;
  readonly #modules: ModulesContainer;

  constructor(lifecycle: Lifecycle, modules: ModulesContainer) {
    super();
    this.#lifecycle = lifecycle;
    this.#modules = modules;
  }

  /** Without options everything comes from the environment. */
  static override forRoot(options: MillraceOptions = {}): DynamicModule {
    return super.forRoot(options);
  }

  /**
   * For the modules that publish, enqueue or call: makes sure at start that the topics exist, registers the queues of the jobs,
   * so that `@InjectQueue('name')` works in the importing module, too, and gives it the clients of services, with options where
   * the contract stands in `{ contract, ... }`.
   *
   * @throws MillraceError when the application starts: NOT_A_TOPIC; INVALID_OPTIONS with every problem of the clients of a module
   */
  static forFeature(contracts: readonly FeatureEntry[]): DynamicModule {
    return MillraceFeatureModule.of(contracts);
  }

  async onModuleInit(): Promise<void> {
    const roots = [...this.#modules.values()].filter(({ metatype }) => metatype === MillraceModule);
    if (roots.length > 1) throw importedTwice(roots.length);
    await this.#lifecycle.connect();
  }

  async onApplicationShutdown(): Promise<void> {
    await this.#lifecycle.close();
  }
}

function importedTwice(times: number): MillraceError {
  return new MillraceError(
    'INVALID_OPTIONS',
    `MillraceModule.forRoot is imported ${times} times, and each would run every handler. Import it once, in the root module; ` +
      'other modules import MillraceModule.forFeature([...]) or nothing.',
  );
}
