import type { RedisOptions } from 'ioredis';

/** How long a blocking read waits for messages. Short enough that a silent network drop is noticed soon. */
export const BLOCK_MS = 2_000;
/** How long any other command may take before it counts as indeterminate. */
export const COMMAND_TIMEOUT_MS = 2_000;
/** How long a connection may take to close. A timer of that length outlives every close. */
export const DISCONNECT_TIMEOUT_MS = 250;
/** How much longer a connection may stay silent, while an answer is due, before it is given up and made again. */
const BLOCK_SLACK_MS = 3_000;
const COMMAND_SLACK_MS = 1_000;

/**
 * ioredis queues, resends and retries nothing by itself: with its defaults one XADD whose reply was lost became two entries.
 * The code that sends a command retries it with the same ids.
 */
const COMMON: RedisOptions = {
  protocol: 2,
  lazyConnect: true,
  maxRetriesPerRequest: 0,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  connectTimeout: 3_000,
  disconnectTimeout: DISCONNECT_TIMEOUT_MS,
  // While Redis loads its data, ask again this often; ioredis goes by the server's guess, up to 10 seconds.
  maxLoadingRetryTime: 250,
  keepAlive: 5_000,
  disableClientInfo: true,
  retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 6), 1_000),
};

export type Profile = 'publish' | 'control' | 'blocking' | 'listening';

/** A command that timed out leaves its connection as it is: without the socket's timeout, a dead one is kept for minutes. */
const ANSWERING: RedisOptions = {
  ...COMMON,
  commandTimeout: COMMAND_TIMEOUT_MS,
  socketTimeout: COMMAND_TIMEOUT_MS + COMMAND_SLACK_MS,
};

/**
 * - `publish`: writes of messages and their settling.
 * - `control`: the presence of the process, and upkeep; a large write on the other connection cannot delay a beat.
 * - `blocking`: one reader each. No command timeout, since it waits on purpose; the socket's own notices a dead network.
 * - `listening`: messages of channels. The subscriber subscribes again on each connection: messages in between are missed.
 */
export const PROFILES: Record<Profile, RedisOptions> = {
  publish: ANSWERING,
  control: ANSWERING,
  blocking: { ...COMMON, socketTimeout: BLOCK_MS + BLOCK_SLACK_MS },
  listening: { ...ANSWERING, autoResubscribe: false },
};

/**
 * To a Sentinel: over one connection it is asked, and announces failovers, as RESP3 allows. One that stands still costs half a
 * second; the next question waits for its connection.
 */
export const SENTINEL_PROFILE: RedisOptions = {
  ...COMMON,
  protocol: 3,
  enableOfflineQueue: true,
  autoResubscribe: false,
  enableReadyCheck: false,
  connectTimeout: 1_000,
  commandTimeout: 500,
  socketTimeout: 500 + COMMAND_SLACK_MS,
};
