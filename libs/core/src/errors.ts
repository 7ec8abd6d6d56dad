import { inspect, types } from 'node:util';

/**
 * Every failure that Millrace reports carries one of these codes. The list is closed: dashboards, alerts and `catch`
 * blocks may switch over it.
 */
export const ERROR_CODES = [
  'INVALID_OPTIONS',
  'INVALID_NAME',
  'INVALID_PAYLOAD',
  'UNSERIALIZABLE_PAYLOAD',
  'PAYLOAD_TOO_LARGE',
  'INVALID_HEADERS',
  'NOT_A_TOPIC',
  'NOT_A_JOB',
  'NOT_A_CONTRACT',
  'CONTRACT_CONFLICT',
  'DUPLICATE_SUBSCRIPTION',
  'DUPLICATE_JOB_HANDLER',
  'UNKNOWN_TOPIC',
  'UNKNOWN_JOB',
  'UNKNOWN_GROUP',
  'GROUP_BUSY',
  'REMOVED',
  'UNKNOWN_QUEUE',
  'UNKNOWN_SERVICE',
  'UNKNOWN_CALL',
  'UNKNOWN_MESSAGE',
  'UNKNOWN_JOB_QUEUE',
  'IDEMPOTENCY_MISMATCH',
  'PUBLISH_INDEFINITE',
  'PUBLISH_REFUSED',
  'TRANSACTION_ENDED',
  'BACK_PRESSURE',
  'LEDGER_FULL',
  'FORWARD_REFUSED',
  'MEMO_TOO_LARGE',
  'MEMO_FULL',
  'MEMO_NOT_CONFIGURED',
  'TOPIC_MISMATCH',
  'ORDERING_MISMATCH',
  'NO_KEY',
  'NO_IDEMPOTENCY_KEY',
  'KEY_NOT_PARKED',
  'PARTITION_NOT_STOPPED',
  'STATE_LOST',
  'REDIS_UNREACHABLE',
  'REDIS_UNSUPPORTED',
  'REDIS_NOT_FOUND',
  'REDIS_FAILED',
  'DATABASE_UNREACHABLE',
  'DATABASE_FAILED',
  'OWNER_FENCED',
  'INBOX_NOT_CONFIGURED',
  'MALFORMED_ENVELOPE',
  'UNSUPPORTED_VERSION',
  'UNKNOWN_MESSAGE_TYPE',
  'CRASH_LOOP',
  'CALL_TIMEOUT',
  'CALL_CANCELLED',
  'CALL_INDEFINITE',
  'NO_INSTANCE',
  'CIRCUIT_OPEN',
  'UNKNOWN_METHOD',
  'REMOTE_FAILED',
  'TIMEOUT',
  'INVALID_INPUT',
  'INVALID_CURSOR',
  'FORBIDDEN',
  'CONFIRMATION_REQUIRED',
  'CONFIRMATION_STALE',
  'AUDIT_FAILED',
  'PORT_IN_USE',
  'CLOSED',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

export interface MillraceErrorDetails {
  /** The error that caused this one, kept for the stack. */
  readonly cause?: unknown;
  /** Whether the same call may succeed if it is made again unchanged. Default false. */
  readonly retryable?: boolean;
  /** Every single thing that is wrong, where there can be several. */
  readonly problems?: readonly string[];
}

/**
 * The one error class of Millrace. Its message says what happened, what it means and what to do; its {@link code} is
 * what programs look at.
 */
export class MillraceError extends Error {
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly problems: readonly string[];

  constructor(code: ErrorCode, message: string, details: MillraceErrorDetails = {}) {
    super(withProblems(message, details.problems), details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'MillraceError';
    this.code = code;
    this.retryable = details.retryable ?? false;
    this.problems = details.problems ?? [];
  }
}

/** The idempotency key was used before, inside its window, for another payload. Nothing was stored. */
export class IdempotencyMismatchError extends MillraceError {
  constructor(message: string) {
    super('IDEMPOTENCY_MISMATCH', message);
    this.name = 'IdempotencyMismatchError';
  }
}

/**
 * Redis did not answer in time, so the message may or may not be stored. Publishing it again with the same idempotency
 * key is safe; without one it may be stored twice.
 */
export class IndefinitePublishError extends MillraceError {
  constructor(message: string, cause?: unknown) {
    super('PUBLISH_INDEFINITE', message, { cause, retryable: true });
    this.name = 'IndefinitePublishError';
  }
}

/**
 * The end of a half message: `unknown` when it came so long ago that it is not remembered, or Redis has lost the half message.
 */
export type TransactionEnd = 'committed' | 'rolled-back' | 'unknown';

/** A half message had ended already, in another way: nothing was changed. */
export class TransactionEndedError extends MillraceError {
  readonly ended: TransactionEnd;

  constructor(message: string, ended: TransactionEnd) {
    super('TRANSACTION_ENDED', message);
    this.name = 'TransactionEndedError';
    this.ended = ended;
  }
}

/** A stored payload does not fit its class. No attempt can mend that, unlike an INVALID_PAYLOAD of what a handler publishes. */
export class UnreadablePayloadError extends MillraceError {
  constructor(message: string, details: MillraceErrorDetails = {}) {
    super('INVALID_PAYLOAD', message, details);
    this.name = 'UnreadablePayloadError';
  }
}

/** The idempotency key of a message or a job cannot be told. No attempt can mend that. */
export class NoIdempotencyKeyError extends MillraceError {
  constructor(message: string, cause?: unknown) {
    super('NO_IDEMPOTENCY_KEY', message, { cause });
    this.name = 'NoIdempotencyKeyError';
  }
}

/** A handler did not end within its `timeout`. A class of its own, so that a retry policy can name it. */
export class HandlerTimeoutError extends MillraceError {
  constructor(timeoutMs: number) {
    const what = `The handler did not end within ${timeoutMs} ms, so this attempt counts as failed`;
    super('TIMEOUT', `${what}. Nothing that it does from now on counts: let it watch ctx.signal, or give it a longer timeout.`, {
      retryable: true,
    });
    this.name = 'HandlerTimeoutError';
  }
}

/** The SQL database knows an owner of the partition that this one is not above, so nothing of this one takes effect there. */
export class OwnerFencedError extends MillraceError {
  /** The epoch that the database knows: whoever owns the partition has to go above it. */
  readonly knownEpoch: number;

  constructor(message: string, knownEpoch: number) {
    super('OWNER_FENCED', message, { retryable: true });
    this.name = 'OwnerFencedError';
    this.knownEpoch = knownEpoch;
  }
}

export function isMillraceError(error: unknown): error is MillraceError {
  return error instanceof MillraceError;
}

/** Any thrown value as an Error: handlers may throw strings, `undefined`, and values that throw when they are read. */
export function asError(thrown: unknown): Error {
  if (isReadableError(thrown)) return thrown;
  return new Error(typeof thrown === 'string' ? thrown : `a value that is no Error was thrown: ${describe(thrown)}`);
}

/** Errors may be made of any number of others. */
const MOST_PARTS = 10;

/** The message of an error; the messages of its parts when it has none, as Node's errors for a host with several addresses. */
export function messageOf(error: Error): string {
  if (error.message !== '') return error.message;
  const { errors, code } = error as { errors?: unknown; code?: unknown };
  return (Array.isArray(errors) && messageOfParts(errors)) || (typeof code === 'string' ? code : error.name);
}

function messageOfParts(errors: readonly unknown[]): string {
  const said = new Set(errors.slice(0, MOST_PARTS).map((part) => asError(part).message));
  const more = errors.length > MOST_PARTS ? [`and ${errors.length - MOST_PARTS} more`] : [];
  return [...said, ...more].join('; ');
}

/** Errors of other realms, such as Node's own inside a test runner, are no instances of ours. */
function isReadableError(thrown: unknown): thrown is Error {
  try {
    if (!(thrown instanceof Error || types.isNativeError(thrown))) return false;
    return [thrown.name, thrown.message].every((text) => typeof text === 'string');
  } catch {
    // A proxy or a getter threw: a value that cannot be read is treated like any other value.
    return false;
  }
}

const MAX_DESCRIPTION = 500;
const BRIEFLY = { depth: 1, maxArrayLength: 10, maxStringLength: 200, breakLength: Infinity, customInspect: false } as const;

function describe(value: unknown): string {
  try {
    return inspect(value, BRIEFLY).slice(0, MAX_DESCRIPTION);
  } catch {
    // Its own code ran while it was looked at, and threw.
    return `a value of type ${typeof value} that cannot be shown`;
  }
}

const PROBLEM = '\n  - ';

function withProblems(message: string, problems: readonly string[] = []): string {
  return [message, ...problems].join(PROBLEM);
}

/** The parts of the message of a {@link MillraceError}, where it came as a text: what happened, and each thing that is wrong. */
export function problemsIn(message: string): { readonly what: string; readonly problems: readonly string[] } {
  const [what = '', ...problems] = message.split(PROBLEM);
  return { what, problems };
}
