import { asError } from '@millrace/core';

export const SOCKET_CODES: ReadonlySet<string> = new Set([
  'ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN',
  'ENOENT', 'EACCES',
]);

/** The messages, without any code, with which `pg` reports that a connection is of no use any more. */
export const DRIVER_TEXTS: readonly RegExp[] = [
  /^Connection terminated/,
  /^Client (was closed|has encountered a connection error)/,
  /^Query read timeout$/,
  /^timeout expired$/,
  /^Received unexpected \w+ message from backend/,
  /SSL connection/,
];

/** Errors about the server or the connection: SQLSTATEs of PostgreSQL and PGlite, names of `mysql2`. */
const CONNECTION_CODES = /^(08...|57P0[1-5]|25P0[34]|53300|PROTOCOL_.*|ER_CON_COUNT_ERROR|ER_SERVER_SHUTDOWN|ER_TOO_MANY_USER_CONNECTIONS)$/;
/** Names of `mysql2` for statements that may succeed when they are made again. */
const PASSING_NAMES = /^ER_(LOCK_DEADLOCK|LOCK_WAIT_TIMEOUT|QUERY_INTERRUPTED|QUERY_TIMEOUT|STATEMENT_TIMEOUT|CHECKREAD)$/;
/** The database has undone the transaction because of another one: SQLSTATEs, and the names of `mysql2`. */
const REFUSED_LOCKS = /^(40001|40P01|ER_LOCK_DEADLOCK|ER_CHECKREAD)$/;
/** A library may have put the driver's error into one of its own, more than once. */
const DEEPEST = 5;

/** The error of the database's driver, out of those that libraries have put around it. */
export function driverErrorOf(thrown: unknown): Error {
  let error = asError(thrown);
  for (let depth = 0; depth < DEEPEST && codeOf(error) === ''; depth += 1) {
    if (!(error.cause instanceof Error)) break;
    error = error.cause;
  }
  return codeOf(error) === '' ? asError(thrown) : error;
}

export function isLostConnection(error: Error): boolean {
  const code = codeOf(error);
  return SOCKET_CODES.has(code) || CONNECTION_CODES.test(code) || DRIVER_TEXTS.some((text) => text.test(error.message));
}

export function isPassing(error: Error): boolean {
  return PASSING_NAMES.test(codeOf(error));
}

/** Whether a transaction of PostgreSQL is refused because a statement of it has failed. */
export function isAborted(thrown: unknown): boolean {
  return codeOf(driverErrorOf(thrown)) === '25P02';
}

/** Whether a transaction was undone because of others, by the error of one of our statements: it may begin again. */
export function isRefusedLock({ cause }: Error): boolean {
  return cause !== undefined && REFUSED_LOCKS.test(codeOf(driverErrorOf(cause)));
}

function codeOf(error: unknown): string {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : '';
}
