import type { PrometheusMetrics } from '@millrace/telemetry';

/** The samples of a metric as `labels` -> value: `ok` of `{outcome="ok"}`. Histograms give their counts. */
export async function samplesOf({ registry }: PrometheusMetrics, name: string): Promise<Record<string, number>> {
  const metric = await registry.getSingleMetric(name)!.get();
  const values = metric.values as { metricName?: string; value: number; labels: Record<string, string | number> }[];
  const counted = values.filter(({ metricName = name }) => metricName === name || metricName === `${name}_count`);
  return Object.fromEntries(counted.map(({ labels, value }) => [Object.values(labels).join(' '), value]));
}
