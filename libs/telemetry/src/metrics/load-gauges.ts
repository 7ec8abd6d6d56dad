import type { SubscriptionLoad } from '@millrace/core';
import type { Gauge } from 'prom-client';
import type { MetricName } from './catalogue.js';

type LoadGauge = Extract<MetricName, 'millrace_inflight' | 'millrace_concurrency_limit' | 'millrace_last_poll_timestamp_seconds'>;

interface Shown {
  readonly gauge: Gauge;
  readonly loads: readonly SubscriptionLoad[];
  readonly labelsOf: (load: SubscriptionLoad) => Record<string, string>;
}

const SHOWS: Readonly<Record<LoadGauge, (load: SubscriptionLoad) => number>> = {
  millrace_inflight: ({ inFlight }) => inFlight,
  millrace_concurrency_limit: ({ limit }) => limit,
  millrace_last_poll_timestamp_seconds: ({ polledAtMs }) => polledAtMs / 1_000,
};

/** Whether a metric is read from the subscriptions of this process when somebody looks at it. */
export function isLoadGauge(name: MetricName): name is LoadGauge {
  return name in SHOWS;
}

/** Those with the same labels add up, and of moments the earliest counts. A subscription that has ended has no gauges. */
export function showLoads(name: LoadGauge, { gauge, loads, labelsOf }: Shown): void {
  gauge.reset();
  const valueOf = SHOWS[name];
  const isMoment = name === 'millrace_last_poll_timestamp_seconds';
  for (const load of [...loads].sort((one, other) => other.polledAtMs - one.polledAtMs)) {
    if (isMoment) gauge.set(labelsOf(load), valueOf(load));
    else gauge.inc(labelsOf(load), valueOf(load));
  }
}
