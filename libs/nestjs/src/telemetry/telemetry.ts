import { Inject, Injectable } from '@nestjs/common';
import { MillraceError } from '@millrace/core';
import { PrometheusMetrics, type ServerAddress, startMeters, startTracing } from '@millrace/telemetry';
import type { Settings } from '../config/settings.js';
import { Connections } from '../module/connections.js';
import { SETTINGS } from '../module/tokens.js';
import { PlatformGauges } from './platform-gauges.js';
import { serverAddressOf } from './server-address.js';

/** The metrics and traces of this process, as the options `metrics` and `tracing` say. */
@Injectable()
export class Telemetry {
  readonly #gauges: PlatformGauges | null;
  readonly #metrics: PrometheusMetrics | null;
  readonly #tracing: Settings['tracing'];
  readonly #server: ServerAddress | null;
  #stopTracing: (() => void) | null = null;
  #stopMeters: (() => void) | null = null;

  constructor(@Inject(SETTINGS) { metrics, tracing, prefix, redis }: Settings, connections: Connections) {
    this.#gauges = metrics ? new PlatformGauges(connections, prefix) : null;
    this.#metrics = this.#gauges && new PrometheusMetrics({ sampler: this.#gauges.sample });
    this.#tracing = tracing;
    this.#server = serverAddressOf(redis);
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
    if (this.#metrics) this.#stopMeters ??= await startMeters({ server: this.#server });
    if (this.#tracing !== 'off') this.#stopTracing ??= await startTracing({ relation: this.#tracing, server: this.#server });
  }

  /** Before the connections close: lets another process have the gauges of all topics and groups. */
  async handOver(): Promise<void> {
    await this.#gauges?.stop();
  }

  stop(): void {
    this.#metrics?.stop();
    this.#stopMeters?.();
    this.#stopTracing?.();
    [this.#stopMeters, this.#stopTracing] = [null, null];
  }

  get #wanted(): PrometheusMetrics {
    if (this.#metrics) return this.#metrics;
    throw new MillraceError('INVALID_OPTIONS', 'This process counts nothing, so there are no metrics to read: set the option metrics to true.');
  }
}
