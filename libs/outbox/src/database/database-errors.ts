import { types } from 'node:util';
import { isMillraceError, MillraceError } from '@millrace/core';
import { DatabaseError } from 'pg';
import { DRIVER_TEXTS, driverErrorOf, isLostConnection, isPassing, SOCKET_CODES } from './driver-errors.js';

/** SQLSTATEs about the server or the connection, not about the statement. */
const CONNECTION_STATES = /^(08...|57P0[1-5]|25P0[34]|53300)$/;
/** SQLSTATEs of statements that may succeed when they are made again: conflicts, locks, time, resources. */
const PASSING_STATES = /^(40...|53...|55P03|57014)$/;

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
    const error = driverErrorOf(thrown);
    const code = codeOf(error);
    if (isLostConnection(error)) throw lost(attempt, thrown, error);
    const shown = /^[0-9A-Z]{5}$/.test(code) ? `SQLSTATE ${code}` : code;
    const text = `The database refused to ${attempt}: ${error.message}${code ? ` (${shown})` : ''}.`;
    throw new MillraceError('DATABASE_FAILED', text, { cause: thrown, retryable: PASSING_STATES.test(code) || isPassing(error) });
  }
}

/**
 * @param lacks `has no table ...`
 * @param file the migration that makes it
 */
export function noTables(lacks: string, file: string): MillraceError {
  const todo = `Run migrations/${file} of the package @millrace/outbox, with your names of the tables where you gave any`;
  const text = `The database ${lacks}, and createTables is false. ${todo}, or let the application make its tables: createTables: true.`;
  return new MillraceError('DATABASE_FAILED', text);
}

function lost(attempt: string, cause: unknown, { message }: Error): MillraceError {
  const text = `The connection to the database was lost, or there was none, to ${attempt}: ${message}.`;
  return new MillraceError('DATABASE_UNREACHABLE', text, { cause, retryable: true });
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : '';
}
