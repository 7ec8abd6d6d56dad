import { type LoggerService } from '@nestjs/common';
import { asError, errorRecord, isMillraceError } from '@millrace/core';
import { shownLines } from '../log/failure-text.js';

export interface FailureReport {
  /** False: standard error. */
  readonly logger: LoggerService | false;
  /** Whether stacks are wanted. */
  readonly debug: boolean;
}

/**
 * Reports once why a process does not start. Our own errors say what happened and what to do, so their stacks are left out
 * unless `debug`.
 */
export function reportStartFailure(thrown: unknown, { logger, debug }: FailureReport): void {
  const text = `Cannot start: ${shownLines(startFailure(thrown, debug))}`;
  if (logger) logger.error(text, 'Millrace');
  else process.stderr.write(`${text}\n`);
}

function startFailure(thrown: unknown, debug: boolean): string {
  const error = asError(thrown);
  if (!isMillraceError(error)) return errorRecord(error).stack ?? error.message;
  return debug ? `${error.code}: ${errorRecord(error).stack ?? error.message}` : `${error.code}: ${error.message}`;
}
