/** Alerts: name, expression, how long it has to hold, severity, and the sentence that it says. */
const ALERTS = [
  ['MillraceLag', 'max by (topic, group) (millrace_group_lag_seconds) > 60', '5m', 'warning', 'Group {{ $labels.group }} of topic {{ $labels.topic }} is more than a minute behind.'],
  ['MillraceLagGrows', 'max by (topic, group) (deriv(millrace_group_lag_entries[15m])) > 0 and max by (topic, group) (millrace_group_lag_seconds) > 60', '15m', 'critical', 'Group {{ $labels.group }} of topic {{ $labels.topic }} falls behind further and further.'],
  ['MillraceNoMembers', 'max by (topic, group) (millrace_group_lag_entries) > 0 unless max by (topic, group) (millrace_group_members) > 0', '5m', 'critical', 'Group {{ $labels.group }} of topic {{ $labels.topic }} has messages before it and no process.'],
  ['MillraceDeadLettersStay', 'max by (topic, group) (millrace_dlq_messages) > 0', '1d', 'warning', 'Dead letters of group {{ $labels.group }} of topic {{ $labels.topic }} wait for somebody.'],
  ['MillraceNoExporter', 'max(millrace_exporter) < 1', '5m', 'critical', 'Nobody can read the lag of groups: Redis may be away.'],
  ['MillraceDeadLetters', 'sum by (topic, group) (increase(millrace_dead_lettered_total[10m])) > 0', '1m', 'warning', 'Group {{ $labels.group }} of topic {{ $labels.topic }} has given up messages.'],
  ['MillraceMessagesLost', 'sum by (topic, group) (increase(millrace_trimmed_unread_total[10m])) > 0', '0m', 'critical', 'Messages of topic {{ $labels.topic }} are gone before group {{ $labels.group }} was done with them.'],
  ['MillraceRedeliveries', 'sum by (topic, group) (rate(millrace_redelivered_total[5m])) / sum by (topic, group) (rate(millrace_delivered_total[5m])) > 0.05', '10m', 'warning', 'Group {{ $labels.group }} of topic {{ $labels.topic }} gets more than 5 % of its messages again.'],
  ['MillraceTimeouts', 'sum by (topic, group) (rate(millrace_handler_duration_seconds_count{outcome="timeout"}[5m])) > 0', '10m', 'warning', 'Handlers of group {{ $labels.group }} of topic {{ $labels.topic }} run out of time.'],
  ['MillraceNoPoll', 'time() - min by (topic, group) (millrace_last_poll_timestamp_seconds) > 60 and max by (topic, group) (millrace_group_members) > 0', '0m', 'critical', 'A process of group {{ $labels.group }} has not looked for messages of topic {{ $labels.topic }} for a minute.'],
  ['MillraceSaturated', 'sum by (topic, group) (millrace_inflight) / sum by (topic, group) (millrace_concurrency_limit) > 0.9', '15m', 'warning', 'The handlers of group {{ $labels.group }} of topic {{ $labels.topic }} are all at work: it needs more of them, or more processes.'],
  ['MillraceBreakerOpen', 'max by (topic, group) (millrace_breaker_open) > 0', '1m', 'critical', 'A breaker has paused group {{ $labels.group }} of topic {{ $labels.topic }}: its handler fails on nearly every message.'],
  ['MillracePublishErrors', 'sum by (topic) (rate(millrace_published_total{outcome="error"}[5m])) > 0', '5m', 'critical', 'Messages for topic {{ $labels.topic }} are not stored.'],
  ['MillraceJobsFailed', 'sum by (queue) (increase(millrace_jobs_failed_total[10m])) > 0', '1m', 'warning', 'Jobs of queue {{ $labels.queue }} have failed for good.'],
  ['MillraceCallErrors', 'sum by (service) (rate(millrace_rpc_requests_total{code!="ok"}[5m])) / sum by (service) (rate(millrace_rpc_requests_total[5m])) > 0.01', '5m', 'warning', 'More than 1 % of the calls of service {{ $labels.service }} fail.'],
  ['MillraceNobodyServes', 'sum by (service) (increase(millrace_rpc_no_handlers_total[5m])) > 0', '1m', 'critical', 'Nobody serves {{ $labels.service }}, and it is called.'],
  ['MillraceOutboxDead', 'sum(increase(millrace_outbox_failed_total{outcome="dead"}[10m])) > 0', '1m', 'critical', 'Rows of the outbox will not be published.'],
  ['MillraceLoopFails', 'sum by (loop) (rate(millrace_loop_failures_total[5m])) > 0', '10m', 'warning', 'The loop {{ $labels.loop }} meets errors again and again.'],
];

/** The rules as Prometheus reads them, in YAML. */
export function alerts() {
  const rules = ALERTS.map(([name, expr, time, severity, summary]) =>
    [`      - alert: ${name}`, `        expr: '${expr}'`, `        for: ${time}`, '        labels:', `          severity: ${severity}`, '        annotations:', `          summary: '${summary}'`].join('\n'),
  );
  return ['groups:', '  - name: millrace', '    rules:', ...rules, ''].join('\n');
}
