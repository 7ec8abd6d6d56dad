import { parser } from '@prometheus-io/lezer-promql';

/** An expression of Prometheus, by Prometheus's own grammar. */
export interface Expression {
  /** The texts that are not of the language. */
  readonly faults: readonly string[];
  readonly metrics: readonly string[];
  /** The labels that it filters or groups by. */
  readonly labels: readonly string[];
}

/** Grafana puts a time in the place of its variable. */
const INTERVAL = /\$__rate_interval/g;

export function expressionOf(text: string): Expression {
  const sent = text.replace(INTERVAL, '5m');
  const found = { faults: [] as string[], metrics: [] as string[], labels: [] as string[] };
  parser.parse(sent).iterate({
    enter: ({ name, type, from, to, node }) => {
      const own = sent.slice(from, to);
      if (type.isError) found.faults.push(`${own || 'something missing'} at ${from}`);
      if (name === 'Identifier' && node.parent?.name === 'VectorSelector') found.metrics.push(own);
      if (name === 'LabelName') found.labels.push(own);
    },
  });
  return found;
}
