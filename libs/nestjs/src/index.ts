export {
  BatchContext,
  custom,
  DEAD_LETTER_REASONS,
  DeadLetter,
  DeadLetterContext,
  defineTopic,
  DeliveryContext,
  Discard,
  exponential,
  fixed,
  HandlerTimeoutError,
  fsynced,
  HalfMessage,
  IdempotencyMismatchError,
  IndefinitePublishError,
  NoIdempotencyKeyError,
  isMillraceError,
  Job,
  MessageType,
  MillraceError,
  Publisher,
  PublishManyError,
  replicated,
  RetryLater,
  Topic,
  TransactionCheckContext,
  TransactionEndedError,
  withTraceContext,
} from '@millrace/core';
export type {
  AssignedPartition,
  Backoff,
  CurveBackoff,
  CustomBackoff,
  DefinedTopic,
  DefinedTopicOptions,
  Durability,
  Duration,
  ErrorClass,
  ErrorCode,
  ErrorRecord,
  ExponentialOptions,
  FixedOptions,
  Fsynced,
  GiveUpReason,
  HalfOptions,
  IdempotencyScope,
  JobOptions,
  MessageTypeOptions,
  PayloadClass,
  Position,
  PreparedMessage,
  PublishItem,
  PublishOptions,
  PublishResult,
  Replicated,
  RetentionOptions,
  RevokedPartition,
  SqlResult,
  SqlTransaction,
  TopicOf,
  TopicOptions,
  TopicRef,
  TraceContext,
  TransactionEnd,
  TransactionState,
  UnknownProperties,
} from '@millrace/core';
export { JobContext, JobQueue } from '@millrace/jobs';
export type { EnqueueItem, EnqueueOptions, EnqueueResult, JobCounts, StuckJob } from '@millrace/jobs';
export {
  createTables,
  drizzleSource,
  knexSource,
  kyselySource,
  migrations,
  mysqlSource,
  Outbox,
  pgliteSource,
  pgSource,
  SourceOptions,
  typeormSource,
} from '@millrace/outbox';
export type {
  DeadQuery,
  DeadRow,
  InboxPlace,
  Migration,
  MigrationPlaces,
  OutboxCounts,
  OutboxEnqueueOptions,
  OutboxItem,
  OutboxJobItem,
  OutboxPublishOptions,
  OutboxPlace,
  OutboxReceipt,
  SqlDatabase,
  SqlDialect,
  SqlSource,
} from '@millrace/outbox';
export {
  Balancer,
  BroadcastCallOptions,
  CallContext,
  CallHandle,
  CallOptions,
  LATENCY_BOUNDS_MS,
  localClient,
  RemoteMethod,
  ResultOptions,
  RpcCancelledError,
  RpcCircuitOpenError,
  RpcContract,
  RpcIndefiniteError,
  RpcNoInstanceError,
  RpcRemoteError,
  RpcTimeoutError,
  StartOptions,
} from '@millrace/rpc';
export type {
  BalanceStrategy,
  CircuitOptions,
  CircuitState,
  ContractClass,
  FailureMode,
  Implementation,
  Instance,
  InstanceAnswer,
  InstancesListener,
  Latency,
  MethodFigures,
  MethodName,
  MethodSummary,
  OutgoingCall,
  RemoteMethodOf,
  RouteOptions,
  RpcClientOptions,
  RpcContractOptions,
  RpcFailureOptions,
  RpcMethodOptions,
  RpcMethods,
} from '@millrace/rpc';
export { DeadLetters, Groups, Halves, Inspector, Orders, sumStates, Topics } from '@millrace/streams';
export type {
  DeadLetterPage,
  DeadLetterQuery,
  DeadLetterRange,
  DeadLetterRecord,
  DiscardOptions,
  DiscardResult,
  GivenUpHalf,
  GoOnOptions,
  GroupMember,
  GroupRemoval,
  GroupState,
  HalfId,
  HalvesState,
  KnownGroup,
  KnownTopic,
  MemberPresence,
  ParkedKey,
  PauseOptions,
  BrokenMember,
  PauseState,
  Purged,
  PurgeOptions,
  PauseResult,
  ReasonCounts,
  RedriveOptions,
  RedriveResult,
  ReleaseOptions,
  RemoveOptions,
  SeekOptions,
  SeekStep,
  StoppedPartition,
  TopicRemoval,
} from '@millrace/streams';
export { ENVIRONMENT, type EnvironmentVariable, readEnvironment } from './config/environment.js';
export type { HandlerSelection, SelectedHandlers } from './config/handler-selection.js';
export { CallsOptions } from './config/calls-options.js';
export { type DatabaseSource, InboxOptions } from './config/inbox-options.js';
export { MillraceOptions } from './config/millrace-options.js';
export { OutboxOptions } from './config/outbox-options.js';
export type {
  ClusterOptions, RedisClusterOptions, RedisIoredisOptions, RedisLoginOptions, RedisOptions, RedisSentinelOptions,
  RedisTlsOptions, SentinelOptions,
} from '@millrace/redis';
export type { HandlerDecorator } from './declare/handler-declaration.js';
export { describeTopics } from './describe/describe-topics.js';
export { Contracts } from './explore/contracts.js';
export { Health, type Liveness, type Readiness } from './health/health.js';
export { MillraceHealthIndicator, type MillraceIndication } from './health/millrace-health.indicator.js';
export { Idempotent } from './http/idempotency/idempotent.decorator.js';
export { IdempotencyInterceptor } from './http/idempotency/idempotency.interceptor.js';
export { IdempotentOptions } from './http/idempotency/idempotent-options.js';
export { MillraceErrorFilter } from './http/millrace-error.filter.js';
export { httpProblem, type Problem } from './http/problem.js';
export { JobHandler } from './jobs/job-handler.decorator.js';
export type { JobHandlerOptions } from './jobs/job-handler-options.js';
export type { JobWorkerState } from './jobs/job-workers.js';
export { JsonLogger } from './log/json-logger.js';
export { Ledgers, type LedgerState } from './module/ledgers.js';
export type { LifecycleState } from './module/lifecycle.js';
export { MillraceModule } from './module/millrace.module.js';
export type { OutboxState } from './module/outbox.js';
export { InjectDatabase } from './module/tokens.js';
export { LocalSubscriptions } from './subscribe/local-subscriptions.js';
export type { SubscriptionState } from './subscribe/subscriptions.js';
export { OnDeadLetter, type OnDeadLetterOptions } from './subscribe/on-dead-letter.decorator.js';
export { OnAssigned, OnRevoked, type PartitionListenerOptions } from './subscribe/partition-listeners.decorator.js';
export { SubscribeBatch } from './subscribe/subscribe-batch.decorator.js';
export type { FilterOptions } from './subscribe/filter-options.js';
export type { BatchOptions, SubscribeBatchOptions } from './subscribe/subscribe-batch-options.js';
export { SubscribeBroadcast } from './subscribe/subscribe-broadcast.decorator.js';
export type { SubscribeBroadcastOptions } from './subscribe/subscribe-broadcast-options.js';
export type { InstanceReply } from './transport/instance-reply.js';
export { MillraceContext } from './transport/millrace-context.js';
export { MillraceClient } from './transport/millrace-client.js';
export { MillraceRecord, MillraceRecordBuilder, type RecordParts } from './transport/millrace-record.js';
export { MILLRACE, MillraceServer } from './transport/millrace-server.js';
export { MillraceClientOptions, MillraceServerOptions, MillraceTransportOptions } from './transport/transport-options.js';
export { TransportUnreachableError } from './transport/unreachable.js';
export type { MillraceUnwrapped } from './transport/unwrapped.js';
export { TransactionCheck, type TransactionCheckOptions } from './transactions/transaction-check.decorator.js';
export { Subscribe } from './subscribe/subscribe.decorator.js';
export type { IdempotencyOptions } from './subscribe/idempotency-options.js';
export type { BreakerOptions } from './subscribe/breaker-options.js';
export type { DeadLettersOptions } from './subscribe/dead-letters-options.js';
export type { MessageHandlerOptions, RateLimitOptions, RetryOptions, RetryRuleOptions, SubscribeOptions } from './subscribe/subscribe-options.js';
export { Calls } from './rpc/calls.js';
export type { ConfiguredClient } from './rpc/feature-clients.js';
export { ServiceInstances } from './rpc/service-instances.js';
export type { ServiceState } from './rpc/services.js';
export { RpcService } from './rpc/rpc-service.decorator.js';
export type { RpcServiceOptions } from './rpc/rpc-service-options.js';
export { loadApplication } from './worker/load-application.js';
export { runApplication } from './worker/run-application.js';
export { runWorker } from './worker/run-worker.js';
export { type RunningWorker, startWorker } from './worker/start-worker.js';
export { reportStartFailure } from './worker/start-failure.js';
export { shutdownTimeoutOf } from './worker/shutdown-timeout.js';
export { workerLogger } from './worker/worker-logger.js';
export { withoutHandlers } from './worker/worker-root.js';
export type { ApplicationModule, WorkerOptions } from './worker/worker-options.js';
export { Administration } from './module/administration.js';
export { Telemetry } from './telemetry/telemetry.js';
