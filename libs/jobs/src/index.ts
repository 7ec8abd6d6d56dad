export * from './connection/bull-connection.js';
export * from './operate/job-record.js';
export * from './operate/operated-queue.js';
export * from './operate/queue-directory.js';
export * from './operate/queue-names.js';
export * from './operate/scheduler-record.js';
export * from './queue/connect-queue.js';
export * from './queue/enqueue-options.js';
export {
  type Deduplication, deduplicationOf, IDEMPOTENCY_WINDOW_MS, keyedJobId, payloadsDiffer,
} from './queue/idempotency.js';
export * from './queue/job-forwards.js';
export { type EnqueueItem, type EnqueueResult, type JobCounts, JobQueue, type QueueLookup } from './queue/job-queue.js';
export * from './queue/open-queue.js';
export * from './queue/prompt-close.js';
export * from './queue/retention.js';
export * from './queue/stored-jobs.js';
export * from './queue/watch-queue.js';
export type { StuckJob } from './worker/active-jobs.js';
export { JobContext } from './worker/job-context.js';
export * from './worker/job-registration.js';
export * from './worker/job-worker.js';
export * from './worker/start-job-worker.js';
export type { ConnectionOptions, Queue } from 'bullmq';
