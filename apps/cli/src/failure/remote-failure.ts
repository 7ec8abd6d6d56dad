import type { ErrorRecord } from '@millrace/core';
import { CliError } from './cli-error.js';

/** The error of a called method, as far as it is shown: `response` is the data that it carries. */
export type RemoteError = Pick<ErrorRecord, 'name' | 'message' | 'code' | 'response'>;

/** A called method threw an error of its own. It is told in the same words on Redis as through a server. */
export class RemoteFailure extends CliError {
  readonly remote: RemoteError;

  constructor({ name, message, code, response }: RemoteError) {
    super('REMOTE_FAILED', `The called method failed: ${message}`);
    this.name = 'RemoteFailure';
    this.remote = { name, message, ...(code === undefined ? {} : { code }), ...(response === undefined ? {} : { response }) };
  }
}
