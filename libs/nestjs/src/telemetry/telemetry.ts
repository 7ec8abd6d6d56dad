import { Inject, Injectable } from '@nestjs/common';
import { MillraceError } from '@millrace/core';
import { PrometheusMetrics, startTracing } from '@millrace/telemetry';
import type { Settings } from '../config/settings.js';
import { Connections } from '../module/connections.js';
import { SETTINGS } from '../module/tokens.js';
import { PlatformGauges } from './platform-gauges.js';

/** The metrics and traces of this process, as the options `metrics` and `tracing` say. */
@Injectable()
export class Telemetry {
  readonly #gauges: PlatformGauges | null;
  readonly #metrics: PrometheusMetrics | null;
  readonly #tracing: Settings['tracing'];
  #stopTracing: (() => void) | null = null;

  constructor(@Inject(SETTINGS) { metrics, tracing, prefix }: Settings, connections: Connections) {
    this.#gauges = metrics ? new PlatformGauges(connections, prefix) : null;
    this.#metrics = this.#gauges && new PrometheusMetrics({ sampler: this.#gauges.sample });
    this.#tracing = tracing;
  }

  /** Whether it counts. */
  get hasMetrics(): boolean {
    return this.#metrics !== null;
  }

  /** The registry of prom-client that has the metrics. @throws MillraceError INVALID_OPTIONS without `metrics` */
  get registry(): PrometheusMetrics['registry'] {
    return this.#wanted.registry;
  }

  /** The type of {@link text}, for the header `content-type`. @throws MillraceError INVALID_OPTIONS without `metrics` */
  get contentType(): string {
    return this.#wanted.contentType;
  }

  /** The metrics as Prometheus reads them. @throws MillraceError INVALID_OPTIONS without `metrics` */
  async text(): Promise<string> {
    return this.#wanted.text();
  }

  async start(): Promise<void> {
    this.#metrics?.start();
    if (this.#tracing !== 'off') this.#stopTracing ??= await startTracing({ relation: this.#tracing });
  }

  /** Before the connections close: lets another process have the gauges of all topics and groups. */
  async handOver(): Promise<void> {
    await this.#gauges?.stop();
  }

  stop(): void {
    this.#metrics?.stop();
    this.#stopTracing?.();
    this.#stopTracing = null;
  }

  get #wanted(): PrometheusMetrics {
    if (this.#metrics) return this.#metrics;
    throw new MillraceError('INVALID_OPTIONS', 'This process counts nothing, so there are no metrics to read: set the option metrics to true.');
  }
}
