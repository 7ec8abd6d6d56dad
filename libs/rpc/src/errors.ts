import { type ErrorRecord, MillraceError } from '@millrace/core';

/** The call was not answered within its time. */
export class RpcTimeoutError extends MillraceError {
  /** Whether the method may have been executed, or may still be: false when the request was never sent. */
  readonly mayHaveRun: boolean;

  constructor(message: string, details: { readonly retryable: boolean; readonly mayHaveRun: boolean }) {
    super('CALL_TIMEOUT', message, { retryable: details.retryable });
    this.name = 'RpcTimeoutError';
    this.mayHaveRun = details.mayHaveRun;
  }
}

/** No instance can take the call, and none has: the service has never been served, or the chosen instance is gone. */
export class RpcNoInstanceError extends MillraceError {
  constructor(message: string) {
    super('NO_INSTANCE', message, { retryable: true });
    this.name = 'RpcNoInstanceError';
  }
}

/** The call was not sent: too many calls of the service, or of the instance, failed. */
export class RpcCircuitOpenError extends MillraceError {
  /** When a call is tried again, in Unix milliseconds. */
  readonly retryAtMs: number;

  constructor(message: string, retryAtMs: number) {
    super('CIRCUIT_OPEN', message, { retryable: true });
    this.name = 'RpcCircuitOpenError';
    this.retryAtMs = retryAtMs;
  }
}

/** The caller gave the call up through its signal. */
export class RpcCancelledError extends MillraceError {
  constructor(message: string, cause?: unknown) {
    super('CALL_CANCELLED', message, { cause });
    this.name = 'RpcCancelledError';
  }
}

/** It is not known whether the method was executed, and it is not executed again: it is not declared idempotent. */
export class RpcIndefiniteError extends MillraceError {
  constructor(message: string, cause?: unknown) {
    super('CALL_INDEFINITE', message, { cause });
    this.name = 'RpcIndefiniteError';
  }
}

/** An error of a called method: plain data, bounded, without stacks unless the service exposes them. */
export type RemoteError = ErrorRecord;

/** The called method threw an error of its own, which {@link remote} describes. */
export class RpcRemoteError extends MillraceError {
  readonly remote: RemoteError;

  constructor(message: string, remote: RemoteError) {
    super('REMOTE_FAILED', message);
    this.name = 'RpcRemoteError';
    this.remote = remote;
  }
}
