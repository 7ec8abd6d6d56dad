import { describe, expect, it } from '@jest/globals';
import { type MetricName, METRICS } from '@millrace/telemetry';
import { parse } from 'yaml';
import { expressionOf } from './promql.js';
import { read } from './repository.js';
import { alerts } from '../../tools/observability/alerts.js';
import { dashboard } from '../../tools/observability/dashboard.js';

interface Dashboard {
  readonly panels: readonly { readonly targets?: readonly { readonly expr: string }[] }[];
  readonly templating: { readonly list: readonly { readonly query: string }[] };
}

interface Rules {
  readonly groups: readonly { readonly rules: readonly { readonly alert: string; readonly expr: string }[] }[];
}

const { panels, templating } = JSON.parse(read('observability/grafana/millrace.json')) as Dashboard;
const rules = (parse(read('observability/alerts.yaml')) as Rules).groups.flatMap((group) => group.rules);
const shown = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
const expressions = [...shown, ...rules.map(({ expr }) => expr)];

/** The metric behind a name in an expression: histograms are read by their buckets, sums and counts. */
function metricOf(name: string): MetricName | null {
  const base = name.replace(/_(bucket|sum|count)$/, '');
  const definition = METRICS[base as MetricName] as (typeof METRICS)[MetricName] | undefined;
  return definition && (definition.type === 'histogram') === (base !== name) ? (base as MetricName) : null;
}

describe('the dashboard and the alerts', () => {
  it('are what their tool writes: npm run observability', () => {
    expect(JSON.parse(read('observability/grafana/millrace.json'))).toEqual(dashboard());
    expect(read('observability/alerts.yaml')).toBe(alerts());
  });

  it.each(expressions)('are of the language of Prometheus, and ask for metrics that are exported, with their labels: %s', (text) => {
    const { faults, metrics, labels } = expressionOf(text);
    expect(faults).toEqual([]);
    expect(metrics).not.toHaveLength(0);
    expect(metrics.filter((name) => metricOf(name) === null)).toEqual([]);
    const own = labels.filter((label) => label !== 'le');
    for (const name of metrics) expect(METRICS[metricOf(name)!].labels).toEqual(expect.arrayContaining(own));
  });

  it.each(['sum by (topic (millrace_inflight)', 'rate(millrace_inflight[5m)', 'millrace_inflight >'])('would be found out with a fault: %s', (text) => {
    expect(expressionOf(text).faults).not.toEqual([]);
  });

  it.each(templating.list.map(({ query }) => query))('lists the values of a label that is exported: %s', (query) => {
    const [, name = '', label = ''] = /^label_values\((\w+), (\w+)\)$/.exec(query) ?? [];
    expect(METRICS[metricOf(name)!].labels).toContain(label);
  });

  it('show every metric', () => {
    const all = new Set(shown.flatMap((text) => expressionOf(text).metrics.map(metricOf)));
    expect(Object.keys(METRICS).filter((name) => !all.has(name as MetricName))).toEqual([]);
  });
});
