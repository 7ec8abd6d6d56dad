import { describe, expect, it } from '@jest/globals';
import { type MetricName, METRICS } from '@millrace/telemetry';
import { parse } from 'yaml';
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
const expressions = [...shown, ...templating.list.map(({ query }) => query), ...rules.map(({ expr }) => expr)];

/** The metric behind a name in an expression: histograms are read by their buckets, sums and counts. */
function metricOf(name: string): MetricName | null {
  const base = name.replace(/_(bucket|sum|count)$/, '');
  const definition = METRICS[base as MetricName] as (typeof METRICS)[MetricName] | undefined;
  return definition && (definition.type === 'histogram') === (base !== name) ? (base as MetricName) : null;
}

const namesIn = (expression: string): string[] => expression.match(/millrace_\w+/g) ?? [];

/** The labels that an expression filters, groups or lists by, beside that of buckets. */
function labelsIn(expression: string): string[] {
  const grouped = [...expression.matchAll(/by \(([^)]+)\)/g)].flatMap(([, list = '']) => list.split(', '));
  const filtered = [...expression.matchAll(/(\w+)(?:=~|!=|=)"/g)].map(([, label = '']) => label);
  const listed = [...expression.matchAll(/label_values\(\w+, (\w+)\)/g)].map(([, label = '']) => label);
  return [...grouped, ...filtered, ...listed].filter((label) => label !== 'le');
}

describe('the dashboard and the alerts', () => {
  it('are what their tool writes: npm run observability', () => {
    expect(JSON.parse(read('observability/grafana/millrace.json'))).toEqual(dashboard());
    expect(read('observability/alerts.yaml')).toBe(alerts());
  });

  it.each(expressions)('ask for metrics that are exported, with their labels: %s', (expression) => {
    const metrics = namesIn(expression).map(metricOf);
    expect(metrics).not.toHaveLength(0);
    expect(metrics).not.toContain(null);
    for (const metric of metrics) expect(METRICS[metric!].labels).toEqual(expect.arrayContaining(labelsIn(expression)));
  });

  it('show every metric', () => {
    const all = new Set(shown.flatMap(namesIn).map(metricOf));
    expect(Object.keys(METRICS).filter((name) => !all.has(name as MetricName))).toEqual([]);
  });
});
