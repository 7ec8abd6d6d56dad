import { isMillraceError, type MillraceError } from '@millrace/core';

/** The code that Nest gives connections which fail for a reason that has none. */
const NO_CODE = 'CONN_ERR';

/**
 * `MillraceClient` cannot connect: what it fails with in the place of REDIS_UNREACHABLE, which is its `cause`. Filters that know
 * failed connections by the codes of Node's network, as those of Nest's own clients, need no other code for it.
 */
export class TransportUnreachableError extends Error {
  /** `ECONNREFUSED`, `ENOTFOUND` and others of Node; `CONN_ERR` where nothing was refused, and nothing came. */
  readonly code: string;

  constructor(cause: MillraceError) {
    super(cause.message, { cause });
    this.name = 'TransportUnreachableError';
    this.code = codeIn(cause.cause) ?? NO_CODE;
  }
}

/** The error that a client gives for one of an attempt to connect. */
export function connectionError(error: unknown): unknown {
  return isMillraceError(error) && error.code === 'REDIS_UNREACHABLE' ? new TransportUnreachableError(error) : error;
}

/** The words of Node are all that is kept of an error of a connection: `connect ECONNREFUSED 127.0.0.1:6379`. */
const CODE = /\b(?:ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ENOENT|EPIPE)\b/;

function codeIn(cause: unknown): string | null {
  return cause instanceof Error ? (CODE.exec(cause.message)?.[0] ?? null) : null;
}
