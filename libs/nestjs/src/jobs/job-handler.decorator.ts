import type { PayloadClass } from '@millrace/core';
import type { JobContext } from '@millrace/jobs';
import { declareHandler, type HandlerDecorator } from '../declare/handler-declaration.js';
import type { JobHandlerOptions } from './job-handler-options.js';

/**
 * Makes a method of a provider or controller the handler of a job. It is called with the payload, an instance of the
 * job's class, and a {@link JobContext}. When it returns the job is completed; when it throws, it is retried as `@Job` says.
 * Its result is the job's return value, as JSON of up to 64 KiB; a result that cannot be stored so is logged, and the job is
 * completed without it.
 *
 * Mistakes are reported when the application starts: NOT_A_JOB, INVALID_OPTIONS, DUPLICATE_JOB_HANDLER, CONTRACT_CONFLICT,
 * INBOX_NOT_CONFIGURED.
 */
export function JobHandler<T extends object>(
  job: PayloadClass<T>,
  options: JobHandlerOptions<T> = {},
): HandlerDecorator<T, JobContext> {
  const declaration = { kind: 'job', contract: job, options } as const;
  return (target, name, descriptor) => declareHandler(declaration, { target, name, descriptor });
}
