export {
  DeadLetter,
  DeliveryContext,
  Discard,
  exponential,
  fixed,
  IdempotencyMismatchError,
  IndefinitePublishError,
  isMillraceError,
  Job,
  MillraceError,
  Publisher,
  PublishManyError,
  RetryLater,
  Topic,
} from '@millrace/core';
export type {
  Backoff,
  Duration,
  ErrorCode,
  JobOptions,
  PayloadClass,
  PublishItem,
  PublishOptions,
  PublishResult,
  SqlResult,
  SqlTransaction,
  TopicOptions,
} from '@millrace/core';
export { JobContext, JobQueue } from '@millrace/jobs';
export type { EnqueueItem, EnqueueOptions, EnqueueResult, JobCounts } from '@millrace/jobs';
export type { SqlDatabase } from '@millrace/outbox';
export { Inspector } from '@millrace/streams';
export type { DeadLetterRecord, GroupState } from '@millrace/streams';
export { ENVIRONMENT, type EnvironmentVariable, readEnvironment } from './config/environment.js';
export type { HandlerSelection, SelectedHandlers } from './config/handler-selection.js';
export { MillraceOptions } from './config/millrace-options.js';
export type { HandlerDecorator } from './declare/handler-declaration.js';
export { Contracts } from './explore/contracts.js';
export { Health, type Liveness, type Readiness } from './health/health.js';
export { JobHandler } from './jobs/job-handler.decorator.js';
export type { JobHandlerOptions } from './jobs/job-handler-options.js';
export { MillraceModule } from './module/millrace.module.js';
export { InjectDatabase } from './module/tokens.js';
export { Subscribe } from './subscribe/subscribe.decorator.js';
export type { RetryOptions, SubscribeOptions } from './subscribe/subscribe-options.js';
export { loadApplication } from './worker/load-application.js';
export { runWorker } from './worker/run-worker.js';
export { type RunningWorker, startWorker } from './worker/start-worker.js';
export { reportStartFailure } from './worker/start-failure.js';
export { workerLogger } from './worker/worker-logger.js';
export { withoutHandlers } from './worker/worker-root.js';
export type { ApplicationModule, WorkerOptions } from './worker/worker-options.js';
