import { STATUS_CODES } from 'node:http';
import { type ErrorCode, type MillraceError, PublishManyError } from '@millrace/core';

/** The body of a failed answer, RFC 9457. */
export interface Problem {
  /** The same for each answer of its status: the phrase of HTTP for that. */
  readonly title: string;
  /** The status of the answer. */
  readonly status: number;
  /** One sentence for the caller on what happened this time. */
  readonly detail: string;
  /** Stable, for programs: one of the codes of `MillraceError`, or `HTTP_<status>`. */
  readonly code: string;
  /** Every single thing that is wrong, where there can be several. */
  readonly problems?: readonly string[];
}

/** Phrases of statuses that no RFC has. */
const OWN_PHRASES: Readonly<Record<number, string>> = { 499: 'Client Closed Request' };

/** A problem with the title of its status. */
export function httpProblem(parts: Omit<Problem, 'title'>): Problem {
  const { status } = parts;
  return { title: STATUS_CODES[status] ?? OWN_PHRASES[status] ?? `HTTP ${status}`, ...parts };
}

/** The first status that says that the fault is not the client's. */
export const SERVER_FAULT = 500;

/** The fault passes by itself: the same request may succeed a little later. */
export const UNAVAILABLE = 503;

/** Each code has its place here: the compiler asks for the status of a new one. */
const STATUS: Readonly<Record<ErrorCode, number>> = {
  INVALID_OPTIONS: 400,
  INVALID_NAME: 400,
  INVALID_PAYLOAD: 400,
  UNSERIALIZABLE_PAYLOAD: 400,
  INVALID_HEADERS: 400,
  INVALID_INPUT: 400,
  INVALID_CURSOR: 400,
  UNKNOWN_MESSAGE_TYPE: 400,
  FORBIDDEN: 403,
  UNKNOWN_TOPIC: 404,
  UNKNOWN_MESSAGE: 404,
  UNKNOWN_JOB_QUEUE: 404,
  UNKNOWN_JOB: 404,
  UNKNOWN_GROUP: 404,
  UNKNOWN_METHOD: 404,
  UNKNOWN_CALL: 404,
  GROUP_BUSY: 409,
  CONFIRMATION_REQUIRED: 409,
  CONFIRMATION_STALE: 409,
  IDEMPOTENCY_MISMATCH: 409,
  TRANSACTION_ENDED: 409,
  REMOVED: 410,
  PAYLOAD_TOO_LARGE: 413,
  CALL_CANCELLED: 499,
  FORWARD_REFUSED: 500,
  BACK_PRESSURE: UNAVAILABLE,
  LEDGER_FULL: UNAVAILABLE,
  NO_INSTANCE: UNAVAILABLE,
  CIRCUIT_OPEN: UNAVAILABLE,
  PUBLISH_INDEFINITE: UNAVAILABLE,
  PUBLISH_REFUSED: UNAVAILABLE,
  STATE_LOST: UNAVAILABLE,
  REDIS_UNREACHABLE: UNAVAILABLE,
  REDIS_FAILED: UNAVAILABLE,
  DATABASE_UNREACHABLE: UNAVAILABLE,
  AUDIT_FAILED: UNAVAILABLE,
  CLOSED: UNAVAILABLE,
  OWNER_FENCED: UNAVAILABLE,
  DATABASE_FAILED: SERVER_FAULT,
  NOT_A_TOPIC: SERVER_FAULT,
  NOT_A_JOB: SERVER_FAULT,
  NOT_A_CONTRACT: SERVER_FAULT,
  CONTRACT_CONFLICT: SERVER_FAULT,
  DUPLICATE_SUBSCRIPTION: SERVER_FAULT,
  DUPLICATE_JOB_HANDLER: SERVER_FAULT,
  UNKNOWN_QUEUE: SERVER_FAULT,
  UNKNOWN_SERVICE: SERVER_FAULT,
  TOPIC_MISMATCH: SERVER_FAULT,
  ORDERING_MISMATCH: SERVER_FAULT,
  NO_KEY: SERVER_FAULT,
  NO_IDEMPOTENCY_KEY: SERVER_FAULT,
  MEMO_TOO_LARGE: SERVER_FAULT,
  MEMO_FULL: SERVER_FAULT,
  MEMO_NOT_CONFIGURED: SERVER_FAULT,
  KEY_NOT_PARKED: 409,
  PARTITION_NOT_STOPPED: 409,
  REDIS_UNSUPPORTED: SERVER_FAULT,
  REDIS_NOT_FOUND: SERVER_FAULT,
  INBOX_NOT_CONFIGURED: SERVER_FAULT,
  MALFORMED_ENVELOPE: SERVER_FAULT,
  UNSUPPORTED_VERSION: SERVER_FAULT,
  CRASH_LOOP: SERVER_FAULT,
  TIMEOUT: SERVER_FAULT,
  PORT_IN_USE: SERVER_FAULT,
  REMOTE_FAILED: 502,
  CALL_TIMEOUT: 504,
  CALL_INDEFINITE: 504,
};

const AWAY = 'Something that this needs is not available at the moment. Send it again later.';

/** The details for faults that are not the client's; the words of the error, such as those of Redis, are logged only. */
const DETAIL: Partial<Record<ErrorCode, string>> = {
  BACK_PRESSURE: 'There is more to do than can be taken at the moment. Send it again later.',
  PUBLISH_INDEFINITE: 'It is not known whether it was stored. Send it again with the same idempotency key; without one it may be stored twice.',
  LEDGER_FULL: 'There is more to remember than can be kept at the moment. Send it again later.',
  PUBLISH_REFUSED: 'Nothing was stored. Send it again later.',
  STATE_LOST: AWAY,
  REDIS_UNREACHABLE: AWAY,
  REDIS_FAILED: AWAY,
  DATABASE_UNREACHABLE: AWAY,
  OWNER_FENCED: AWAY,
  CLOSED: 'The server is stopping. Send it again.',
  NO_INSTANCE: AWAY,
  CIRCUIT_OPEN: AWAY,
  REMOTE_FAILED: 'A service that this needs failed.',
  CALL_TIMEOUT: 'A service that this needs did not answer in time. It may have done its part.',
  CALL_INDEFINITE: 'It is not known whether a service that this needs has done its part.',
};

const IN_PART = 'A part of it was not stored, or may not have been. Send that again with the same idempotency keys.';

/** The detail for every unforeseen fault. */
const FAILED = 'The server failed; its log says why.';

/** An error of Millrace as its caller gets it: with the code alone when the fault is not the caller's. */
export function problemOf(error: MillraceError): Problem {
  const { code, problems } = error;
  // A code that another version of the library threw.
  const status = STATUS[code] ?? SERVER_FAULT;
  if (error instanceof PublishManyError) return httpProblem({ status, detail: IN_PART, code });
  if (status >= SERVER_FAULT) return httpProblem({ status, detail: DETAIL[code] ?? FAILED, code });
  const [detail = code] = error.message.split('\n');
  return httpProblem({ status, detail, code, ...(problems.length > 0 ? { problems } : {}) });
}
