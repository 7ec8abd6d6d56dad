export { type MetricDefinition, type MetricName, METRICS } from './metrics/catalogue.js';
export { OTHER } from './metrics/label-cap.js';
export { LABEL_LIMITS, PrometheusMetrics, type PrometheusMetricsOptions } from './metrics/prometheus-metrics.js';
