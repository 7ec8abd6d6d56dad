/** The panels of the dashboard, by row: title, unit of Grafana, and expressions with their legends. */
const ROWS = [
  {
    title: 'Overview',
    panels: [
      { title: 'Published', unit: 'msg/s', queries: [['sum by (topic, outcome) (rate(millrace_published_total{topic=~"$topic"}[$__rate_interval]))', '{{topic}} {{outcome}}']] },
      { title: 'Settled', unit: 'msg/s', queries: [['sum by (topic, group, outcome) (rate(millrace_settled_total{topic=~"$topic",group=~"$group"}[$__rate_interval]))', '{{topic}} {{group}} {{outcome}}']] },
      { title: 'Publish, p95', unit: 's', queries: [[p95('millrace_publish_duration_seconds', 'topic', 'topic=~"$topic"'), '{{topic}}']] },
      { title: 'From publish to done, p95', unit: 's', queries: [[p95('millrace_end_to_end_seconds', 'topic, group', 'topic=~"$topic",group=~"$group"'), '{{topic}} {{group}}']] },
    ],
  },
  {
    title: 'Consumers',
    panels: [
      { title: 'Handlers, p95', unit: 's', queries: [[p95('millrace_handler_duration_seconds', 'topic, group', 'topic=~"$topic",group=~"$group"'), '{{topic}} {{group}}']] },
      { title: 'Attempts by outcome', unit: 'ops', queries: [['sum by (group, outcome) (rate(millrace_handler_duration_seconds_count{topic=~"$topic",group=~"$group"}[$__rate_interval]))', '{{group}} {{outcome}}']] },
      { title: 'Share that is redelivered', unit: 'percentunit', queries: [['sum by (topic, group) (rate(millrace_redelivered_total{topic=~"$topic",group=~"$group"}[$__rate_interval])) / sum by (topic, group) (rate(millrace_delivered_total{topic=~"$topic",group=~"$group"}[$__rate_interval]))', '{{topic}} {{group}}']] },
      { title: 'Handlers at work', unit: 'short', queries: [['sum by (topic, group) (millrace_inflight{topic=~"$topic",group=~"$group"})', '{{topic}} {{group}}'], ['sum by (topic, group) (millrace_concurrency_limit{topic=~"$topic",group=~"$group"})', '{{topic}} {{group}} at the most']] },
      { title: 'Since the last poll', unit: 's', queries: [['time() - min by (topic, group) (millrace_last_poll_timestamp_seconds{topic=~"$topic",group=~"$group"})', '{{topic}} {{group}}']] },
      { title: 'Paused by a breaker', unit: 'short', queries: [['sum by (topic, group) (millrace_breaker_open{topic=~"$topic",group=~"$group"})', '{{topic}} {{group}}']] },
    ],
  },
  {
    title: 'Groups',
    panels: [
      { title: 'Lag', unit: 'short', queries: [['max by (topic, group) (millrace_group_lag_entries{topic=~"$topic",group=~"$group"})', '{{topic}} {{group}}']] },
      { title: 'Lag in time', unit: 's', queries: [['max by (topic, group) (millrace_group_lag_seconds{topic=~"$topic",group=~"$group"})', '{{topic}} {{group}}']] },
      { title: 'Held by members', unit: 'short', queries: [['max by (topic, group) (millrace_group_pending{topic=~"$topic",group=~"$group"})', '{{topic}} {{group}}']] },
      { title: 'Waiting for another attempt', unit: 'short', queries: [['max by (topic, group) (millrace_group_retrying{topic=~"$topic",group=~"$group"})', '{{topic}} {{group}}']] },
      { title: 'Members', unit: 'short', queries: [['max by (topic, group) (millrace_group_members{topic=~"$topic",group=~"$group"})', '{{topic}} {{group}}']] },
      { title: 'Dead letters that are there', unit: 'short', queries: [['max by (topic, group) (millrace_dlq_messages{topic=~"$topic",group=~"$group"})', '{{topic}} {{group}}']] },
      { title: 'Messages of topics', unit: 'short', queries: [['max by (topic) (millrace_stream_length{topic=~"$topic"})', '{{topic}}']] },
      { title: 'Processes with these gauges', unit: 'short', queries: [['sum(millrace_exporter)', 'processes']] },
    ],
  },
  {
    title: 'Losses',
    panels: [
      { title: 'Dead letters', unit: 'short', queries: [['sum by (topic, group, error_type) (increase(millrace_dead_lettered_total{topic=~"$topic",group=~"$group"}[$__rate_interval]))', '{{topic}} {{group}} {{error_type}}']] },
      { title: 'Gone before they were settled', unit: 'short', queries: [['sum by (topic, group) (increase(millrace_trimmed_unread_total{topic=~"$topic"}[$__rate_interval]))', '{{topic}} {{group}}']] },
      { title: 'Put back from vanished processes', unit: 'short', queries: [['sum by (topic, group) (increase(millrace_reclaimed_total{topic=~"$topic"}[$__rate_interval]))', '{{topic}} {{group}}']] },
      { title: 'Errors of loops', unit: 'short', queries: [['sum by (loop) (increase(millrace_loop_failures_total[$__rate_interval]))', '{{loop}}']] },
    ],
  },
  {
    title: 'Jobs and outbox',
    panels: [
      { title: 'Enqueued', unit: 'ops', queries: [['sum by (queue, job, outcome) (rate(millrace_enqueued_total[$__rate_interval]))', '{{queue}} {{job}} {{outcome}}']] },
      { title: 'Enqueue, p95', unit: 's', queries: [[p95('millrace_enqueue_duration_seconds', 'queue'), '{{queue}}']] },
      { title: 'Jobs, p95', unit: 's', queries: [[p95('millrace_job_duration_seconds', 'queue, job'), '{{queue}} {{job}}']] },
      { title: 'From enqueue to done, p95', unit: 's', queries: [[p95('millrace_job_age_seconds', 'queue, job'), '{{queue}} {{job}}']] },
      { title: 'Failed jobs', unit: 'short', queries: [['sum by (queue, error_type) (increase(millrace_jobs_failed_total[$__rate_interval]))', '{{queue}} {{error_type}}']] },
      { title: 'Outbox', unit: 'ops', queries: [['sum(rate(millrace_outbox_published_total[$__rate_interval]))', 'published'], ['sum by (outcome) (rate(millrace_outbox_failed_total[$__rate_interval]))', '{{outcome}}']] },
    ],
  },
  {
    title: 'Calls',
    panels: [
      { title: 'Calls', unit: 'reqps', queries: [['sum by (service, method, code) (rate(millrace_rpc_requests_total{service=~"$service"}[$__rate_interval]))', '{{service}} {{method}} {{code}}']] },
      { title: 'Calls, p95', unit: 's', queries: [[p95('millrace_rpc_duration_seconds', 'service, method', 'service=~"$service"'), '{{service}} {{method}}']] },
      { title: 'Served', unit: 'reqps', queries: [['sum by (service, method, code) (rate(millrace_rpc_served_total{service=~"$service"}[$__rate_interval]))', '{{service}} {{method}} {{code}}']] },
      { title: 'Methods, p95', unit: 's', queries: [[p95('millrace_rpc_served_duration_seconds', 'service, method', 'service=~"$service"'), '{{service}} {{method}}']] },
      { title: 'Nobody there', unit: 'short', queries: [['sum by (service) (increase(millrace_rpc_no_handlers_total{service=~"$service"}[$__rate_interval]))', '{{service}}']] },
    ],
  },
];

const VARIABLES = { topic: 'millrace_published_total', group: 'millrace_delivered_total', service: 'millrace_rpc_requests_total' };
const DATASOURCE = { type: 'prometheus', uid: '${DS_PROMETHEUS}' };
const REFERENCES = ['A', 'B'];
const [WIDTH, HEIGHT, COLUMNS] = [12, 8, 2];

/** The dashboard as Grafana imports it. */
export function dashboard() {
  const panels = [];
  let y = 0;
  for (const { title, panels: own } of ROWS) {
    panels.push({ id: panels.length + 1, type: 'row', title, collapsed: false, gridPos: { x: 0, y, w: 24, h: 1 }, panels: [] });
    own.forEach((panel, index) => panels.push(panelOf(panel, panels.length + 1, { index, y: y + 1 })));
    y += 1 + HEIGHT * Math.ceil(own.length / COLUMNS);
  }
  return {
    __inputs: [{ name: 'DS_PROMETHEUS', label: 'Prometheus', type: 'datasource', pluginId: 'prometheus', pluginName: 'Prometheus' }],
    uid: 'millrace', title: 'Millrace', tags: ['millrace'], schemaVersion: 39, refresh: '30s', time: { from: 'now-1h', to: 'now' },
    templating: { list: Object.entries(VARIABLES).map(([name, metric]) => variableOf(name, metric)) },
    panels,
  };
}

function panelOf({ title, unit, queries }, id, { index, y }) {
  return {
    id, title, type: 'timeseries', datasource: DATASOURCE,
    gridPos: { x: (index % COLUMNS) * WIDTH, y: y + Math.floor(index / COLUMNS) * HEIGHT, w: WIDTH, h: HEIGHT },
    fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
    targets: queries.map(([expr, legendFormat], at) => ({ refId: REFERENCES[at], expr, legendFormat, datasource: DATASOURCE })),
  };
}

function variableOf(name, metric) {
  const query = `label_values(${metric}, ${name})`;
  const all = { includeAll: true, allValue: '.*', multi: true, current: { text: 'All', value: '$__all' } };
  return { name, type: 'query', datasource: DATASOURCE, query, refresh: 2, ...all };
}

function p95(histogram, labels, where = '') {
  const filter = where === '' ? '' : `{${where}}`;
  return `histogram_quantile(0.95, sum by (${labels}, le) (rate(${histogram}_bucket${filter}[$__rate_interval])))`;
}
