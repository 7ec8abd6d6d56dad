import { type ErrorCode, MillraceError } from '@millrace/core';

/**
 * What a failed command means to its caller:
 * - `unsent`: it never left; nothing happened.
 * - `indeterminate`: it was sent and no answer came; it may have been executed.
 * - `back-pressure`: Redis is out of memory; nothing happened.
 * - `unavailable`: Redis cannot serve now (loading, read only, failing over); nothing happened.
 * - `state-lost`: the key or group that the command needs is gone.
 * - `fatal`: wrong permissions or password, or a key of another type; it will fail again until someone acts.
 * - `unknown`: an answer that is not in the table; to be retried with an alarm.
 */
export type RedisFailureKind = 'unsent' | 'indeterminate' | 'back-pressure' | 'unavailable' | 'state-lost' | 'fatal' | 'unknown';

export class RedisFailure extends MillraceError {
  readonly kind: RedisFailureKind;

  constructor(kind: RedisFailureKind, message: string, cause: unknown) {
    super(CODES[kind], message, { cause, retryable: kind !== 'fatal' });
    this.name = 'RedisFailure';
    this.kind = kind;
  }
}

const CODES: Record<RedisFailureKind, ErrorCode> = {
  unsent: 'REDIS_UNREACHABLE',
  indeterminate: 'REDIS_UNREACHABLE',
  'back-pressure': 'BACK_PRESSURE',
  unavailable: 'REDIS_FAILED',
  'state-lost': 'STATE_LOST',
  fatal: 'REDIS_FAILED',
  unknown: 'REDIS_FAILED',
};

/** The one place that reads Redis's and ioredis's error texts: the first pattern that matches decides. */
const TABLE: readonly (readonly [RegExp, RedisFailureKind, string])[] = [
  [/isn't writeable|Connection is closed before/, 'unsent', 'there is no connection to Redis at the moment'],
  [/timed out|Connection is closed|ECONNRESET|EPIPE|Socket timeout|MaxRetriesPerRequest|max retries per request|aborted due to connection close/i, 'indeterminate', 'the connection to Redis was lost or too slow; the command may have been executed'],
  [/^OOM|used memory > 'maxmemory'/, 'back-pressure', 'Redis has reached its maxmemory; give it more, or consume and trim what is stored'],
  [/^(LOADING|READONLY|MISCONF|CLUSTERDOWN|TRYAGAIN|NOREPLICAS|MASTERDOWN|BUSY )/, 'unavailable', 'Redis cannot serve at the moment'],
  [/^(NOGROUP|UNBLOCKED)/, 'state-lost', 'the stream or its group is gone from Redis'],
  [/^(NOPERM|NOAUTH|WRONGPASS|WRONGTYPE|CROSSSLOT)|invalid username-password/, 'fatal', 'Redis refuses the command; check the password, the permissions and the key prefix'],
];

/** An ioredis error as ours. The original carries the command's arguments, payloads and passwords among them: only its text is kept. */
export function redisFailure(thrown: unknown, command: string): RedisFailure {
  if (thrown instanceof RedisFailure) return thrown;
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  const [, kind, meaning] = TABLE.find(([pattern]) => pattern.test(text)) ?? [null, 'unknown' as const, 'Redis answered with an error'];
  return new RedisFailure(kind, `${command} failed: ${meaning} (${clip(text)}).`, new Error(clip(text)));
}

function clip(text: string): string {
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}
