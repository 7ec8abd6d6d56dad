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
export const SERVER_ADDRESS = 'server.address';
export const SERVER_PORT = 'server.port';

export const OPERATION_DURATION = 'messaging.client.operation.duration';
export const SENT_MESSAGES = 'messaging.client.sent.messages';
export const CONSUMED_MESSAGES = 'messaging.client.consumed.messages';
export const PROCESS_DURATION = 'messaging.process.duration';

/** Upper bounds that the conventions ask of the durations, in seconds. */
export const DURATION_BUCKETS: readonly number[] = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** Ours: the name of a job, whether the handler of dead letters is called, and the number of an attempt, from 1. */
export const MILLRACE_JOB = 'millrace.job';
export const MILLRACE_DEAD_LETTER = 'millrace.dead_letter';
export const MILLRACE_ATTEMPT = 'millrace.attempt';

/** Not among the systems that the conventions list, which allow others. */
export const STREAMS_SYSTEM = 'redis_streams';
export const JOBS_SYSTEM = 'bullmq';
export const CALLS_SYSTEM = 'millrace';

/** The server of the messages. A host as it is configured: nothing is looked up. */
export interface ServerAddress {
  readonly address: string;
  /** Absent for a socket file. */
  readonly port?: number;
}

export function attributesOf(server: ServerAddress | null): Record<string, string | number> {
  if (server === null) return {};
  return { [SERVER_ADDRESS]: server.address, ...(server.port === undefined ? {} : { [SERVER_PORT]: server.port }) };
}
