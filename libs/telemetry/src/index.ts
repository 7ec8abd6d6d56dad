export { type MetricDefinition, type MetricName, METRICS } from './metrics/catalogue.js';
export { OTHER } from './metrics/label-cap.js';
export type { GroupSample, PlatformSample, PlatformSampler } from './metrics/platform-sample.js';
export { LABEL_LIMITS } from './metrics/label-limits.js';
export { type MetersOptions, startMeters } from './metrics/open-telemetry-metrics.js';
export { PrometheusMetrics, type PrometheusMetricsOptions } from './metrics/prometheus-metrics.js';
export type { TraceRelation } from './trace/open-telemetry-spans.js';
export { SEMCONV_VERSION, type ServerAddress } from './trace/semantic-conventions.js';
export { startTracing, type TracingOptions } from './trace/tracing.js';
