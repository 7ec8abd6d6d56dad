import { ERROR_CODES, type ErrorCode, type ErrorRecord, errorRecord, isMillraceError, MillraceError, problemsIn } from '@millrace/core';
import { type RemoteError, RpcIndefiniteError, RpcNoInstanceError, RpcRemoteError } from '../errors.js';

/** An error as it stands in an answer: the record of it, and whether the same call may succeed if it is made again. */
interface WrittenError extends ErrorRecord {
  readonly retryable?: boolean;
  /** The method itself threw it: a code of ours in it says nothing about this call. */
  readonly isOwn?: boolean;
}

/** An error that a method threw, apart from those that say why it was not executed. */
export class MethodFailure extends Error {
  /** The code that callers get. */
  readonly code: ErrorCode = 'REMOTE_FAILED';

  constructor(cause: unknown) {
    super('The method failed.', { cause });
    this.name = 'MethodFailure';
  }
}

/** The JSON text of an error. Stacks name files and versions of the service: callers get them only where that is wanted. */
export function errorText(thrown: unknown, exposeStacks: boolean): string {
  const isOwn = thrown instanceof MethodFailure;
  const record = errorRecord(isOwn ? thrown.cause : thrown);
  const shown = exposeStacks ? record : withoutStacks(record);
  if (isOwn) return JSON.stringify({ ...shown, isOwn });
  return JSON.stringify(isMillraceError(thrown) && thrown.retryable ? { ...shown, retryable: true } : shown);
}

/** The code of the error that the caller gets. */
export function codeOf(thrown: unknown): ErrorCode {
  return isMillraceError(thrown) ? thrown.code : 'REMOTE_FAILED';
}

/** The error that the caller gets; never throws. */
export function errorOf(text: string): MillraceError {
  const written = writtenIn(text);
  if (written === null) return new RpcRemoteError('The service answered with an error that cannot be read.', { name: 'Error', message: '' });
  const { code, message } = written;
  if (written.isOwn === true || !isErrorCode(code)) return new RpcRemoteError(`The called method failed: ${message}`, remoteOf(written));
  if (code === 'CALL_INDEFINITE') return new RpcIndefiniteError(message);
  if (code === 'NO_INSTANCE') return new RpcNoInstanceError(message);
  const { what, problems } = problemsIn(message);
  return new MillraceError(code, what, { retryable: written.retryable === true, problems });
}

function withoutStacks({ stack: _, errors, cause, ...rest }: ErrorRecord): ErrorRecord {
  return {
    ...rest,
    ...(errors ? { errors: errors.map(withoutStacks) } : {}),
    ...(cause ? { cause: withoutStacks(cause) } : {}),
  };
}

function writtenIn(text: string): WrittenError | null {
  try {
    const value = JSON.parse(text) as Partial<WrittenError> | null;
    return typeof value?.name === 'string' && typeof value.message === 'string' ? (value as WrittenError) : null;
  } catch {
    // Anything may be written by those who can write to the inbox: the caller is told that it is no error of ours.
    return null;
  }
}

function remoteOf({ retryable: _, isOwn: __, ...record }: WrittenError): RemoteError {
  return record;
}

function isErrorCode(code: unknown): code is ErrorCode {
  return ERROR_CODES.includes(code as ErrorCode);
}
