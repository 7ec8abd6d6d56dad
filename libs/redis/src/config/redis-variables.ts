/** The variables of the environment that say which Redis, and how to trust it. */
export type RedisVariable =
  | 'REDIS_URL'
  | 'REDIS_CLUSTER_NODES'
  | 'REDIS_SENTINELS'
  | 'REDIS_SENTINEL_PRIMARY'
  | 'REDIS_SENTINEL_USERNAME'
  | 'REDIS_SENTINEL_PASSWORD'
  | 'REDIS_SENTINEL_TLS'
  | 'REDIS_USERNAME'
  | 'REDIS_PASSWORD'
  | 'REDIS_TLS'
  | 'REDIS_NAT_MAP'
  | 'MILLRACE_REDIS_CA'
  | 'MILLRACE_REDIS_CERT'
  | 'MILLRACE_REDIS_KEY'
  | 'MILLRACE_REDIS_SERVERNAME'
  | 'MILLRACE_REDIS_SENTINEL_CA'
  | 'MILLRACE_REDIS_SENTINEL_CERT'
  | 'MILLRACE_REDIS_SENTINEL_KEY'
  | 'MILLRACE_REDIS_SENTINEL_SERVERNAME';

/** The Redis of a process that names none. */
export const DEFAULT_REDIS_URL = 'redis://127.0.0.1:6379';

/** Each of them says where Redis is: at most one may be set. */
export const REDIS_PLACES = ['REDIS_URL', 'REDIS_CLUSTER_NODES', 'REDIS_SENTINELS'] as const satisfies readonly RedisVariable[];
