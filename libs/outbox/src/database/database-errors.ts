import { types } from 'node:util';
import { isMillraceError, MillraceError } from '@millrace/core';
import { DatabaseError } from 'pg';

/** SQLSTATEs about the server or the connection, not about the statement. */
const CONNECTION_STATES = /^(08...|57P0[1-5]|25P0[34]|53300)$/;
/** SQLSTATEs of statements that may succeed when they are made again: conflicts, locks, time, resources. */
const PASSING_STATES = /^(40...|53...|55P03|57014)$/;

const SOCKET_CODES = new Set([
  'ECONNREFUSED', 'ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN',
  'ENOENT', 'EACCES',
]);

/** The messages, without any code, with which `pg` reports that a connection is of no use any more. */
const DRIVER_TEXTS = [
  /^Connection terminated/,
  /^Client (was closed|has encountered a connection error)/,
  /^Query read timeout$/,
  /^timeout expired$/,
  /^Received unexpected \w+ message from backend/,
  /SSL connection/,
];

const POOL_IS_BUSY = 'timeout exceeded when trying to connect';

/** Advice for the failures that a first connection meets most often. */
const ADVICE: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Nothing listens there: is the server running, and are host and port right?',
  ENOTFOUND: 'No host has this name: check the URL.',
  '28P01': 'Check user and password in the URL.',
  '28000': 'Check user and password in the URL, and pg_hba.conf of the server.',
  '3D000': 'Create the database, or name another one in the URL.',
  '53300': 'The server has no connection left: raise its max_connections, or use fewer connections here.',
};

/** A failure of the database, as opposed to one of the statement. */
export function isConnectionError(error: unknown): error is Error {
  if (!types.isNativeError(error)) return false;
  const code = codeOf(error);
  if (error instanceof DatabaseError) return CONNECTION_STATES.test(code);
  return SOCKET_CODES.has(code) || DRIVER_TEXTS.some((text) => text.test(error.message));
}

export function isPoolBusy(error: unknown): boolean {
  return types.isNativeError(error) && error.message === POOL_IS_BUSY;
}

/** DATABASE_UNREACHABLE: `what` happened, at `place`. */
export function unreachable(what: string, place: string, cause: unknown): MillraceError {
  const code = codeOf(cause);
  const advice = ADVICE[code] ?? '';
  // A host with several addresses has an error for each, inside one without a text.
  const reason = types.isNativeError(cause) && cause.message ? cause.message : code;
  const retryable = !(cause instanceof DatabaseError) || isConnectionError(cause);
  return new MillraceError('DATABASE_UNREACHABLE', `${what} (${place}): ${reason}. ${advice}`.trimEnd(), { cause, retryable });
}

/** Runs a statement of our own: its SQL errors become DATABASE_FAILED, saying what was attempted. */
export async function ownStatement<T>(attempt: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (thrown) {
    if (isMillraceError(thrown)) throw thrown;
    const { message } = thrown as Error;
    const code = codeOf(thrown);
    const text = `The database refused to ${attempt}: ${message}${code ? ` (SQLSTATE ${code})` : ''}.`;
    throw new MillraceError('DATABASE_FAILED', text, { cause: thrown, retryable: PASSING_STATES.test(code) });
  }
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}
