import { type EventMap, type EventName, type HandledAttempt, listen, presentLoads, type SubscriptionLoad } from '@millrace/core';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { type MetricDefinition, type MetricName, METRICS } from './catalogue.js';
import { LabelCap, PairCap } from './label-cap.js';
import { LABEL_LIMITS } from './label-limits.js';
import { isLoadGauge, showLoads } from './load-gauges.js';
import type { GroupSample, PlatformSample, PlatformSampler } from './platform-sample.js';
import { DURATION_BUCKETS } from '../trace/semantic-conventions.js';

export interface PrometheusMetricsOptions {
  /** Where the metrics are registered. Default: a registry of their own. One registry takes them once. */
  readonly registry?: Registry;
  /** Upper bounds of the histograms, in seconds. Default: 0.005 to 10. */
  readonly buckets?: readonly number[];
  /** Reads the gauges of all topics and groups, at each look at the metrics. Default: there are none. */
  readonly sampler?: PlatformSampler;
}

/** Gauges of which one process has those of all. */
const OF_PLATFORM = [
  'millrace_stream_length', 'millrace_group_lag_entries', 'millrace_group_lag_seconds', 'millrace_group_pending',
  'millrace_group_retrying', 'millrace_group_members', 'millrace_dlq_messages',
] as const satisfies readonly MetricName[];

const OUTCOMES: Readonly<Partial<Record<string, string>>> = {
  ack: 'ok', discarded: 'discard', 'dead-letter': 'dead_letter', 'given-up': 'given_up',
};

type Metric = Counter | Gauge | Histogram;
type Told<Name extends EventName> = (event: EventMap[Name]) => void;

/**
 * Counts what this process does, for Prometheus, from the events of the engines: from {@link start} until {@link stop}. The names
 * are those of {@link METRICS}; labels are bounded by {@link LABEL_LIMITS}.
 */
export class PrometheusMetrics {
  readonly registry: Registry;
  readonly #metrics: ReadonlyMap<MetricName, Metric>;
  readonly #groups = new PairCap({ first: LABEL_LIMITS.topics, ofEach: LABEL_LIMITS.groupsOfTopic });
  readonly #jobs = new PairCap({ first: LABEL_LIMITS.queues, ofEach: LABEL_LIMITS.jobsOfQueue });
  readonly #methods = new PairCap({ first: LABEL_LIMITS.services, ofEach: LABEL_LIMITS.methodsOfService });
  readonly #errors = new LabelCap(LABEL_LIMITS.errorTypes);
  readonly #sampler: PlatformSampler | null;
  #stops: (() => void)[] = [];

  constructor({ registry = new Registry(), buckets = DURATION_BUCKETS, sampler }: PrometheusMetricsOptions = {}) {
    this.registry = registry;
    this.#sampler = sampler ?? null;
    const made = (name: MetricName): [MetricName, Metric] =>
      [name, metricOf(name, METRICS[name], { registry, buckets, collect: this.#collectOf(name) })];
    this.#metrics = new Map((Object.keys(METRICS) as MetricName[]).map(made));
  }

  /** The type of {@link text}, for the header `content-type`. */
  get contentType(): string {
    return this.registry.contentType;
  }

  /** Begins to listen. Before, and after {@link stop}, the engines make no event for it. */
  start(): this {
    if (this.#stops.length > 0) return this;
    this.#hearMessages();
    this.#hearTrouble();
    this.#hearJobs();
    this.#hearCalls();
    this.#hearOutbox();
    return this;
  }

  /** Listens no longer, and keeps the counts. */
  stop(): void {
    for (const stop of this.#stops.splice(0)) stop();
  }

  /** All metrics of the registry, as Prometheus reads them. */
  async text(): Promise<string> {
    if (this.#sampler) this.#show(await this.#sampler());
    return this.registry.metrics();
  }

  /** A topic or a group that is gone has no gauges any more. */
  #show(sample: PlatformSample | null): void {
    this.#set('millrace_exporter', {}, sample === null ? 0 : 1);
    for (const name of OF_PLATFORM) this.#metrics.get(name)!.reset();
    for (const { topic: name, messages } of sample?.topics ?? []) {
      const topic = this.#groups.first(name);
      this.#add('millrace_stream_length', { topic }, messages);
    }
    for (const group of sample?.groups ?? []) this.#showGroup(group);
  }

  #showGroup({ lag, lagSeconds, pending, retrying, members, deadLetters, ...place }: GroupSample): void {
    const labels = this.#group(place);
    this.#add('millrace_group_lag_entries', labels, lag);
    if (lagSeconds !== null) this.#add('millrace_group_lag_seconds', labels, lagSeconds);
    this.#add('millrace_group_pending', labels, pending);
    this.#add('millrace_group_retrying', labels, retrying);
    this.#add('millrace_group_members', labels, members);
    this.#add('millrace_dlq_messages', labels, deadLetters);
  }

  /** Reads the metric whenever somebody looks at it; undefined for one that is kept. */
  #collectOf(name: MetricName): (() => void) | undefined {
    if (!isLoadGauge(name)) return undefined;
    const labelsOf = (load: SubscriptionLoad): Record<string, string> => this.#group(load);
    return () => showLoads(name, { gauge: this.#metrics.get(name) as Gauge, loads: presentLoads(), labelsOf });
  }

  #hear<Name extends EventName>(name: Name, told: Told<Name>): void {
    this.#stops.push(listen(name, told));
  }

  #hearMessages(): void {
    this.#hear('published', ({ topic: name, outcome, count, durationMs }) => {
      const topic = this.#groups.first(name);
      this.#count('millrace_published_total', { topic, outcome }, count);
      if (durationMs > 0) this.#observe('millrace_publish_duration_seconds', { topic }, durationMs);
    });
    this.#hear('fetched', (event) => {
      const group = this.#group(event);
      this.#count('millrace_delivered_total', group, event.count);
      if (event.redelivered > 0) this.#count('millrace_redelivered_total', group, event.redelivered);
    });
    this.#hear('handled', (event) => {
      const group = this.#group(event);
      this.#observe('millrace_handler_duration_seconds', { ...group, outcome: outcomeOf(event) }, event.durationMs);
      if (event.outcome === 'ack') this.#observe('millrace_end_to_end_seconds', group, event.ageMs);
    });
    this.#hear('settled', (event) => {
      this.#count('millrace_settled_total', { ...this.#group(event), outcome: outcomeOf(event) }, event.count);
    });
  }

  #hearTrouble(): void {
    this.#hear('attempt-failed', ({ topic, group, queue, outcome, error: { code, name } }) => {
      if (outcome === 'retry') return;
      const error_type = this.#errors.of(code ?? name);
      if (topic !== undefined) this.#count('millrace_dead_lettered_total', { ...this.#group({ topic, group }), error_type });
      else if (queue !== undefined) this.#count('millrace_jobs_failed_total', { queue: this.#jobs.first(queue), error_type });
    });
    this.#hear('lost', (event) => this.#count('millrace_trimmed_unread_total', this.#group(event), event.count));
    this.#hear('reclaimed', (event) => {
      if (event.topic !== undefined) this.#count('millrace_reclaimed_total', this.#group(event), event.count);
    });
    this.#hear('breaker', (event) => this.#set('millrace_breaker_open', this.#group(event), event.state === 'open' ? 1 : 0));
    this.#hear('loop-failed', ({ loop }) => this.#count('millrace_loop_failures_total', { loop }));
  }

  #hearJobs(): void {
    this.#hear('enqueued', ({ queue, job, outcome, count, durationMs }) => {
      const labels = this.#job(queue, job);
      this.#count('millrace_enqueued_total', { ...labels, outcome }, count);
      if (durationMs > 0) this.#observe('millrace_enqueue_duration_seconds', { queue: labels.queue }, durationMs);
    });
    this.#hear('job-handled', (event) => {
      const labels = this.#job(event.queue, event.job);
      this.#observe('millrace_job_duration_seconds', { ...labels, outcome: outcomeOf(event) }, event.durationMs);
      if (event.outcome === 'ack') this.#observe('millrace_job_age_seconds', labels, event.ageMs);
    });
  }

  #hearCalls(): void {
    this.#hear('called', (event) => {
      const labels = this.#method(event.service, event.method);
      this.#count('millrace_rpc_requests_total', { ...labels, code: event.code ?? 'ok' });
      this.#observe('millrace_rpc_duration_seconds', labels, event.durationMs);
      if (event.code === 'NO_INSTANCE') this.#count('millrace_rpc_no_handlers_total', { service: labels.service });
    });
    this.#hear('served', (event) => {
      const labels = this.#method(event.service, event.method);
      this.#count('millrace_rpc_served_total', { ...labels, code: event.code ?? 'ok' });
      this.#observe('millrace_rpc_served_duration_seconds', labels, event.durationMs);
    });
  }

  #hearOutbox(): void {
    this.#hear('outbox-published', ({ count }) => this.#count('millrace_outbox_published_total', {}, count));
    this.#hear('outbox-failed', ({ outcome }) => this.#count('millrace_outbox_failed_total', { outcome }));
  }

  #group({ topic = '', group = '' }: { readonly topic?: string; readonly group?: string }): { topic: string; group: string } {
    const [first, second] = this.#groups.of(topic, group);
    return { topic: first, group: second };
  }

  #job(queue: string, job: string): { queue: string; job: string } {
    const [first, second] = this.#jobs.of(queue, job);
    return { queue: first, job: second };
  }

  #method(service: string, method: string): { service: string; method: string } {
    const [first, second] = this.#methods.of(service, method);
    return { service: first, method: second };
  }

  #count(name: MetricName, labels: Record<string, string>, count = 1): void {
    (this.#metrics.get(name) as Counter).inc(labels, count);
  }

  #set(name: MetricName, labels: Record<string, string>, value: number): void {
    (this.#metrics.get(name) as Gauge).set(labels, value);
  }

  /** Those that count together add up. */
  #add(name: MetricName, labels: Record<string, string>, value: number): void {
    (this.#metrics.get(name) as Gauge).inc(labels, value);
  }

  #observe(name: MetricName, labels: Record<string, string>, ms: number): void {
    (this.#metrics.get(name) as Histogram).observe(labels, ms / 1_000);
  }
}

interface Place {
  readonly registry: Registry;
  readonly buckets: readonly number[];
  readonly collect: (() => void) | undefined;
}

function metricOf(name: string, { type, help, labels }: MetricDefinition, { registry, buckets, collect }: Place): Metric {
  const parts = { name, help, labelNames: [...labels], registers: [registry] };
  if (type === 'counter') return new Counter(parts);
  if (type === 'gauge') return new Gauge({ ...parts, ...(collect && { collect }) });
  return new Histogram({ ...parts, buckets: [...buckets] });
}

/** A time that ran out counts by itself where the message is tried again; else by what became of the message. */
function outcomeOf({ outcome, errorType }: { readonly outcome: string } & Partial<Pick<HandledAttempt, 'errorType'>>): string {
  if (outcome === 'retry' && errorType === 'TIMEOUT') return 'timeout';
  return OUTCOMES[outcome] ?? outcome;
}
