import type { RedisOptions } from 'ioredis';

/** How long a blocking read waits for messages. Short enough that a silent network drop is noticed soon. */
export const BLOCK_MS = 2_000;
/** How long any other command may take before it counts as indeterminate. */
export const COMMAND_TIMEOUT_MS = 2_000;
const SLACK_MS = 3_000;

/**
 * Nothing is queued, resent or retried behind our back: with ioredis's defaults one XADD whose reply was lost became two
 * entries. Whoever sends a command retries it with the same ids.
 */
const COMMON: RedisOptions = {
  protocol: 2,
  lazyConnect: true,
  maxRetriesPerRequest: 0,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  connectTimeout: 5_000,
  keepAlive: 5_000,
  disableClientInfo: true,
  retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 6), 1_000),
};

export type Profile = 'publish' | 'control' | 'blocking';

/**
 * - `publish`: writes of messages and their settling.
 * - `control`: heartbeats and leases; apart, so that a large write cannot delay a renewal.
 * - `blocking`: one reader each. No command timeout, since it waits on purpose; the socket's own notices a dead network.
 */
export const PROFILES: Record<Profile, RedisOptions> = {
  publish: { ...COMMON, commandTimeout: COMMAND_TIMEOUT_MS },
  control: { ...COMMON, commandTimeout: COMMAND_TIMEOUT_MS },
  blocking: { ...COMMON, socketTimeout: BLOCK_MS + SLACK_MS },
};
