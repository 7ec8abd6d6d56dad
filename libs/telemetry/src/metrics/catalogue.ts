/** A metric that this library exports. */
export interface MetricDefinition {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
}

const GROUP = ['topic', 'group'] as const;
const JOB = ['queue', 'job'] as const;
const CALL = ['service', 'method', 'code'] as const;

/** All metrics, by name. Times are in seconds. No label holds an id, a key, or anything of a payload. */
export const METRICS = {
  millrace_published_total: {
    type: 'counter', labels: ['topic', 'outcome'],
    help: 'Messages that were published, by how that ended: ok, duplicate, invalid, error. Half messages are not counted.',
  },
  millrace_publish_duration_seconds: {
    type: 'histogram', labels: ['topic'],
    help: 'From publish() until it is settled, of the first of the messages that are settled together.',
  },
  millrace_delivered_total: { type: 'counter', labels: GROUP, help: 'Messages that members of a group have read.' },
  millrace_redelivered_total: { type: 'counter', labels: GROUP, help: 'Those of them that the group was given before.' },
  millrace_handler_duration_seconds: {
    type: 'histogram', labels: [...GROUP, 'outcome'],
    help: 'Time of an attempt, by how it ended: ok, deduplicated, discard, expired, filtered, retry, timeout (to be retried), dead_letter, ...',
  },
  millrace_end_to_end_seconds: {
    type: 'histogram', labels: GROUP,
    help: 'From the publish of a message until its handler has ended well, by the clocks of both processes.',
  },
  millrace_settled_total: {
    type: 'counter', labels: [...GROUP, 'outcome'],
    help: 'Outcomes that Redis has stored (ok, retry, dead_letter, release), or refused (fenced).',
  },
  millrace_dead_lettered_total: {
    type: 'counter', labels: [...GROUP, 'error_type'],
    help: 'Messages that a group gave up, by the code or name of the error.',
  },
  millrace_trimmed_unread_total: { type: 'counter', labels: GROUP, help: 'Messages that are gone before the group settled them.' },
  millrace_reclaimed_total: { type: 'counter', labels: GROUP, help: 'Messages of vanished processes that were put back to the group.' },
  millrace_breaker_open: { type: 'gauge', labels: GROUP, help: '1 while the breaker has paused the subscription of this process.' },
  millrace_inflight: { type: 'gauge', labels: GROUP, help: 'Handlers of this process that are at work, each on a message or a batch.' },
  millrace_concurrency_limit: { type: 'gauge', labels: GROUP, help: 'The most of them at once.' },
  millrace_last_poll_timestamp_seconds: {
    type: 'gauge', labels: GROUP,
    help: 'When this process last looked for messages and nothing was wrong, in Unix seconds; now while it is paused, or has no room for more.',
  },
  millrace_enqueued_total: {
    type: 'counter', labels: [...JOB, 'outcome'],
    help: 'Jobs that were enqueued, by how that ended: ok, duplicate, invalid, error.',
  },
  millrace_enqueue_duration_seconds: { type: 'histogram', labels: ['queue'], help: 'Time of an enqueue, or of one of many jobs together.' },
  millrace_job_duration_seconds: {
    type: 'histogram', labels: [...JOB, 'outcome'],
    help: 'Time of an attempt at a job, by how it ended: as of a handler.',
  },
  millrace_job_age_seconds: {
    type: 'histogram', labels: JOB,
    help: 'From the enqueue of a job until its handler has ended well, by the clocks of both processes.',
  },
  millrace_jobs_failed_total: { type: 'counter', labels: ['queue', 'error_type'], help: 'Jobs that were given up.' },
  millrace_rpc_requests_total: { type: 'counter', labels: CALL, help: 'Calls that this process made, by the code of their error, or ok.' },
  millrace_rpc_duration_seconds: { type: 'histogram', labels: ['service', 'method'], help: 'Time of a call for its caller.' },
  millrace_rpc_no_handlers_total: { type: 'counter', labels: ['service'], help: 'Calls of a service that nobody served.' },
  millrace_rpc_served_total: { type: 'counter', labels: CALL, help: 'Methods that ended here, by the code of their error, or ok.' },
  millrace_rpc_served_duration_seconds: { type: 'histogram', labels: ['service', 'method'], help: 'Time of a method that is served here.' },
  millrace_outbox_published_total: { type: 'counter', labels: [], help: 'Rows of the outbox that this process published.' },
  millrace_outbox_failed_total: { type: 'counter', labels: ['outcome'], help: 'Attempts at rows of the outbox that failed: retry, dead.' },
  millrace_exporter: { type: 'gauge', labels: [], help: '1 where this process has the gauges of all topics and groups, which follow: one has them.' },
  millrace_stream_length: { type: 'gauge', labels: ['topic'], help: 'Messages that a topic holds.' },
  millrace_group_lag_entries: { type: 'gauge', labels: GROUP, help: 'Messages that a group has before it.' },
  millrace_group_lag_seconds: { type: 'gauge', labels: GROUP, help: 'Age of the oldest of them, where it is known.' },
  millrace_group_pending: { type: 'gauge', labels: GROUP, help: 'Entries of them that members hold.' },
  millrace_group_retrying: { type: 'gauge', labels: GROUP, help: 'Messages of them that wait for their next attempt.' },
  millrace_group_members: { type: 'gauge', labels: GROUP, help: 'Members of a group that are alive.' },
  millrace_dlq_messages: { type: 'gauge', labels: GROUP, help: 'Dead letters of a group.' },
  millrace_loop_failures_total: { type: 'counter', labels: ['loop'], help: 'Errors that a background loop met; it goes on.' },
} as const satisfies Readonly<Record<string, MetricDefinition>>;

export type MetricName = keyof typeof METRICS;
