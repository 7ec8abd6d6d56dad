import type { ErrorCode } from '@millrace/core';
import type { CliCode } from './cli-error.js';

/** The exit codes of every command. */
export const EXIT = {
  ok: 0, failed: 1, usage: 2, notFound: 3, refused: 4, unreachable: 5, partial: 6, checkFailed: 7, timeout: 124, interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Each code has its place here: the compiler asks for the exit code of a new one. */
const OF_MILLRACE: Readonly<Record<ErrorCode, ExitCode>> = {
  INVALID_OPTIONS: EXIT.usage,
  INVALID_NAME: EXIT.usage,
  INVALID_PAYLOAD: EXIT.usage,
  UNSERIALIZABLE_PAYLOAD: EXIT.usage,
  INVALID_HEADERS: EXIT.usage,
  INVALID_INPUT: EXIT.usage,
  INVALID_CURSOR: EXIT.usage,
  PAYLOAD_TOO_LARGE: EXIT.usage,
  NO_KEY: EXIT.usage,
  NO_IDEMPOTENCY_KEY: EXIT.usage,
  UNKNOWN_TOPIC: EXIT.notFound,
  UNKNOWN_JOB: EXIT.notFound,
  UNKNOWN_GROUP: EXIT.notFound,
  UNKNOWN_METHOD: EXIT.notFound,
  UNKNOWN_CALL: EXIT.notFound,
  UNKNOWN_QUEUE: EXIT.notFound,
  UNKNOWN_SERVICE: EXIT.notFound,
  UNKNOWN_MESSAGE: EXIT.notFound,
  UNKNOWN_JOB_QUEUE: EXIT.notFound,
  UNKNOWN_MESSAGE_TYPE: EXIT.notFound,
  REMOVED: EXIT.notFound,
  NO_INSTANCE: EXIT.notFound,
  FORBIDDEN: EXIT.refused,
  GROUP_BUSY: EXIT.refused,
  CONFIRMATION_REQUIRED: EXIT.refused,
  CONFIRMATION_STALE: EXIT.refused,
  IDEMPOTENCY_MISMATCH: EXIT.refused,
  TRANSACTION_ENDED: EXIT.refused,
  TOPIC_MISMATCH: EXIT.refused,
  ORDERING_MISMATCH: EXIT.refused,
  CONTRACT_CONFLICT: EXIT.refused,
  DUPLICATE_SUBSCRIPTION: EXIT.refused,
  DUPLICATE_JOB_HANDLER: EXIT.refused,
  KEY_NOT_PARKED: EXIT.refused,
  PARTITION_NOT_STOPPED: EXIT.refused,
  REDIS_UNREACHABLE: EXIT.unreachable,
  REDIS_FAILED: EXIT.unreachable,
  REDIS_UNSUPPORTED: EXIT.unreachable,
  REDIS_NOT_FOUND: EXIT.unreachable,
  DATABASE_UNREACHABLE: EXIT.unreachable,
  CLOSED: EXIT.unreachable,
  TIMEOUT: EXIT.timeout,
  CALL_TIMEOUT: EXIT.timeout,
  CALL_CANCELLED: EXIT.interrupted,
  FORWARD_REFUSED: EXIT.failed,
  BACK_PRESSURE: EXIT.failed,
  LEDGER_FULL: EXIT.failed,
  CIRCUIT_OPEN: EXIT.failed,
  PUBLISH_INDEFINITE: EXIT.failed,
  PUBLISH_REFUSED: EXIT.failed,
  STATE_LOST: EXIT.failed,
  AUDIT_FAILED: EXIT.failed,
  OWNER_FENCED: EXIT.failed,
  DATABASE_FAILED: EXIT.failed,
  NOT_A_TOPIC: EXIT.failed,
  NOT_A_JOB: EXIT.failed,
  NOT_A_CONTRACT: EXIT.failed,
  MEMO_TOO_LARGE: EXIT.failed,
  MEMO_FULL: EXIT.failed,
  MEMO_NOT_CONFIGURED: EXIT.failed,
  INBOX_NOT_CONFIGURED: EXIT.failed,
  MALFORMED_ENVELOPE: EXIT.failed,
  UNSUPPORTED_VERSION: EXIT.failed,
  CRASH_LOOP: EXIT.failed,
  PORT_IN_USE: EXIT.failed,
  REMOTE_FAILED: EXIT.failed,
  CALL_INDEFINITE: EXIT.failed,
};

const OF_CLI: Readonly<Record<CliCode, ExitCode>> = {
  USAGE: EXIT.usage,
  NOT_FOUND: EXIT.notFound,
  REFUSED: EXIT.refused,
  NEEDS_EXECUTE: EXIT.refused,
  NOT_CONFIRMED: EXIT.refused,
  API_UNREACHABLE: EXIT.unreachable,
  API_FAILED: EXIT.failed,
  PARTIAL: EXIT.partial,
  CHECK_FAILED: EXIT.checkFailed,
  TIME_LIMIT: EXIT.timeout,
  INTERRUPTED: EXIT.interrupted,
};

const OF_HTTP: Readonly<Record<string, ExitCode>> = {
  HTTP_400: EXIT.usage,
  HTTP_401: EXIT.refused,
  HTTP_403: EXIT.refused,
  HTTP_404: EXIT.notFound,
  HTTP_408: EXIT.timeout,
  HTTP_409: EXIT.refused,
  HTTP_413: EXIT.usage,
  HTTP_502: EXIT.unreachable,
  HTTP_503: EXIT.unreachable,
  HTTP_504: EXIT.timeout,
};

const ALL = new Map<string, ExitCode>(Object.entries({ ...OF_MILLRACE, ...OF_CLI, ...OF_HTTP }));

/** The exit code for the code of an error; one that is not known is a failure. */
export function exitCodeOf(code: string): ExitCode {
  return ALL.get(code) ?? EXIT.failed;
}
