import { Injectable, Logger } from '@nestjs/common';
import { HandlerPlanner } from '../explore/handler-planner.js';
import type { HandlerPlan } from '../explore/plan.js';
import { EventLog } from '../log/event-log.js';
import { Telemetry } from '../telemetry/telemetry.js';
import { BootReport } from './boot-report.js';
import { HandlerRunner } from './handler-runner.js';
import { Resources } from './resources.js';

export type LifecycleState = 'starting' | 'running' | 'stopping' | 'stopped';

/**
 * The life of Millrace inside an application: starting -> running -> stopping -> stopped.
 *
 * - `onModuleInit`, before every other module: check all handlers, then connect Redis and the database, declare topics, connect
 *   queues. Mistakes are found before anything is connected, and the hooks of services may publish.
 * - `onApplicationBootstrap`, after every other module: start subscriptions and job workers. No handler meets a service that is
 *   not ready.
 * - `onModuleDestroy`, before every other module: readiness off, stop fetching, let handlers finish, give the rest back. They
 *   still use the services, which close next.
 * - `onApplicationShutdown`, after every other module: flush publishes, leave, close the connections. Hooks and HTTP requests
 *   may publish until then.
 *
 * A start that fails closes what it opened.
 */
@Injectable()
export class Lifecycle {
  #state: LifecycleState = 'starting';
  #plan: HandlerPlan | undefined;
  #connected: Promise<void> | null = null;
  #started: Promise<void> | null = null;
  #drained: Promise<void> | null = null;

  readonly #planner: HandlerPlanner;
  readonly #resources: Resources;
  readonly #runner: HandlerRunner;
  readonly #eventLog: EventLog;
  readonly #report: BootReport;
  readonly #telemetry: Telemetry;

  constructor(
    planner: HandlerPlanner, resources: Resources, runner: HandlerRunner, eventLog: EventLog, report: BootReport,
    telemetry: Telemetry,
  ) {
    this.#planner = planner;
    this.#resources = resources;
    this.#runner = runner;
    this.#eventLog = eventLog;
    this.#report = report;
    this.#telemetry = telemetry;
  }

  get state(): LifecycleState {
    return this.#state;
  }

  connect(): Promise<void> {
    this.#connected ??= this.#orAbandon(() => this.#connect());
    return this.#connected;
  }

  start(): Promise<void> {
    this.#started ??= this.#orAbandon(() => this.#start());
    return this.#started;
  }

  drain(): Promise<void> {
    this.#drained ??= this.#drain();
    return this.#drained;
  }

  async close(): Promise<void> {
    await this.drain();
    await this.#telemetry.handOver();
    await this.#resources.close();
    this.#eventLog.stop();
    this.#telemetry.stop();
    this.#state = 'stopped';
  }

  async #connect(): Promise<void> {
    this.#eventLog.start();
    await this.#telemetry.start();
    this.#plan = this.#planner.plan();
    for (const warning of this.#plan.warnings) new Logger('Millrace').warn(warning);
    await this.#resources.open(this.#plan);
  }

  async #start(): Promise<void> {
    await this.connect();
    await this.#runner.start(this.#plan!);
    await this.#report.start(this.#plan!);
    this.#state = 'running';
  }

  async #drain(): Promise<void> {
    this.#state = 'stopping';
    this.#report.stop();
    await this.#runner.stop();
  }

  async #orAbandon(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      await this.close();
      throw error;
    }
  }
}
