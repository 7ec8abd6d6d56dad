import { asError, type ErrorCode, escapeUnseen, messageOf, MillraceError } from '@millrace/core';

/**
 * The meaning of a failed command to its caller:
 * - `unsent`: it never left; nothing happened.
 * - `indeterminate`: it was sent and no answer came; it may have been executed.
 * - `back-pressure`: Redis is out of memory; nothing happened.
 * - `unavailable`: Redis cannot serve now (loading, read only, failing over); nothing happened.
 * - `state-lost`: the key or group that the command needs is gone.
 * - `fatal`: wrong permissions or password, or a key of another type; it will fail again until someone acts.
 * - `unconfirmed`: it was executed, and is not as safe as was asked for.
 * - `unknown`: an answer that is not in the table; to be retried with an alarm.
 */
export type RedisFailureKind = 'unsent' | 'indeterminate' | 'back-pressure' | 'unavailable' | 'state-lost' | 'fatal' | 'unconfirmed' | 'unknown';

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
  unconfirmed: 'REDIS_FAILED',
  unknown: 'REDIS_FAILED',
};

const MEANINGS: Record<RedisFailureKind, string> = {
  unsent: 'there is no connection to Redis at the moment',
  indeterminate: 'the connection to Redis was lost or too slow; the command may have been executed',
  'back-pressure': 'Redis has reached its maxmemory; give it more, or consume and trim what is stored',
  unavailable: 'Redis cannot serve at the moment',
  'state-lost': 'the stream or its group is gone from Redis',
  fatal: 'Redis refuses the command; check the password, the permissions and the key prefix',
  unconfirmed: 'Redis has stored it, and too few copies of it are confirmed',
  unknown: 'Redis answered with an error',
};

/**
 * The one place that reads Redis's and ioredis's error texts: the first pattern that matches decides. Redis's begin with a
 * word in capitals and may go on with the name of a key, so they come before ioredis's.
 */
const TABLE: readonly (readonly [RegExp, RedisFailureKind])[] = [
  [/^OOM |used memory > 'maxmemory'/, 'back-pressure'],
  [/^(NOGROUP|UNBLOCKED the stream) /, 'state-lost'],
  [/^(LOADING|READONLY|MISCONF|CLUSTERDOWN|TRYAGAIN|NOREPLICAS|MASTERDOWN|BUSY|MOVED|ASK|UNBLOCKED) /, 'unavailable'],
  [/^(NOPERM|NOAUTH|WRONGPASS|WRONGTYPE|CROSSSLOT|DENIED) /, 'fatal'],
  [/^ERR (invalid (username-)?password|The user executing the script can't|ACL failure in script)/, 'fatal'],
  [/^[A-Z]+ /, 'unknown'],
  [/isn't writeable/, 'unsent'],
  [/timed out|Connection is closed|ECONNRESET|EPIPE|Socket timeout|max retries per request|due to connection close/i, 'indeterminate'],
  // The client of a Cluster tried before, and one of those tries may have been executed.
  [/^Too many Cluster redirections/, 'indeterminate'],
  [/Please report this/, 'indeterminate'],
];

/** An ioredis error as ours. The original carries the command's arguments, payloads and passwords too: only its text is kept. */
export function redisFailure(thrown: unknown, command: string): RedisFailure {
  if (thrown instanceof RedisFailure) return thrown;
  const text = messageOf(asError(thrown));
  const kind = TABLE.find(([pattern]) => pattern.test(text))?.[1] ?? 'unknown';
  const shown = shownText(text);
  return new RedisFailure(kind, `${command} failed: ${MEANINGS[kind]} (${shown}).`, new Error(shown));
}

/** Whether the error says that the server is a replica now. Redis itself then ends reads that wait, and nothing else. */
export function isOfReplica(error: Error): boolean {
  return messageOf(error).startsWith('READONLY ');
}

/** A node of a Cluster says that another one has the slot: for good, or for the keys of it that have gone there already. */
export interface Redirect {
  readonly kind: 'moved' | 'ask';
  readonly slot: number;
  /** As the node announces it, `host:port`; the host may be empty: it is that of the node itself. */
  readonly address: string;
}

/** The redirect in the error of a command; null for any other error. Nothing was executed. */
export function redirectOf(error: unknown): Redirect | null {
  const [, kind, slot, address] = /^(MOVED|ASK) (\d+) (\S*:\d+)/.exec(refusalOf(error)) ?? [];
  return address === undefined ? null : { kind: kind === 'MOVED' ? 'moved' : 'ask', slot: Number(slot), address };
}

/** Whether some keys of the command have gone to another node already, and others not yet. Nothing was executed. */
export function isBetweenNodes(error: unknown): boolean {
  return refusalOf(error).startsWith('TRYAGAIN ');
}

/** Whether a node of a Cluster serves nothing: the others may serve its slots by now. */
export function isDown(error: unknown): boolean {
  return refusalOf(error).startsWith('CLUSTERDOWN ');
}

/** Whether a read that waited was ended since its key, or its whole slot, went to another node, or was removed. */
export function isUnblocked(error: unknown): boolean {
  return refusalOf(error).startsWith('UNBLOCKED ');
}

/** Whether the user in use may not run the command, or touch its key or its channel. Nothing was executed. */
export function isNotPermitted(error: unknown): boolean {
  return /^NOPERM |^ERR (?:The user executing the script can't|ACL failure in script)/.test(refusalOf(error));
}

function refusalOf(error: unknown): string {
  return error instanceof RedisFailure && error.cause instanceof Error ? error.cause.message : '';
}

const MAX_SHOWN = 300;
/** With this text ioredis reports a connection that ended; it goes on with advice about an option that only Millrace sets. */
const FLUSHED = /^Reached the max retries per request limit[^]*$/;
/** OpenSSL's text has ids and a place in its own code around the reason. Each part is bounded: a long text takes no longer. */
const OPENSSL = /\b\w{1,32}:error:\w{1,32}:SSL routines:\w{0,64}:([^:\n]{1,200}):[^:\n]{0,200}:\d{1,9}:[^\n]{0,200}\n?/g;

/** An error text of Redis or ioredis as it may be shown: bounded, and without the arguments that some of them repeat. */
export function shownText(text: string): string {
  const own = text
    .replace(FLUSHED, 'the connection ended before the answer came')
    .replace(/, with args beginning with: [^]*$|(?<= modifier ')[^]*(?=')/, '')
    .replace(OPENSSL, 'TLS: $1');
  const shown = escapeUnseen(own).replace(/\.$/, '');
  return shown.length > MAX_SHOWN ? `${shown.slice(0, MAX_SHOWN)}…` : shown;
}
