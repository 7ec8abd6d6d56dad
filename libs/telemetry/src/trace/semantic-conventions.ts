/**
 * Names of the semantic conventions of OpenTelemetry, 1.44.0. Those of messaging are in development, and their package asks not
 * to be imported by libraries: so they stand here.
 */
export const SEMCONV_VERSION = '1.44.0';

export const MESSAGING_SYSTEM = 'messaging.system';
export const MESSAGING_OPERATION_NAME = 'messaging.operation.name';
export const MESSAGING_OPERATION_TYPE = 'messaging.operation.type';
export const MESSAGING_DESTINATION_NAME = 'messaging.destination.name';
export const MESSAGING_DESTINATION_PARTITION_ID = 'messaging.destination.partition.id';
export const MESSAGING_CONSUMER_GROUP_NAME = 'messaging.consumer.group.name';
export const MESSAGING_MESSAGE_ID = 'messaging.message.id';
export const MESSAGING_BATCH_MESSAGE_COUNT = 'messaging.batch.message_count';
export const RPC_SYSTEM_NAME = 'rpc.system.name';
export const RPC_METHOD = 'rpc.method';
export const ERROR_TYPE = 'error.type';

/** Ours: the name of a job, and the number of an attempt, from 1. */
export const MILLRACE_JOB = 'millrace.job';
export const MILLRACE_ATTEMPT = 'millrace.attempt';

/** Not among the systems that the conventions list, which allow others. */
export const STREAMS_SYSTEM = 'redis_streams';
export const JOBS_SYSTEM = 'bullmq';
export const CALLS_SYSTEM = 'millrace';
