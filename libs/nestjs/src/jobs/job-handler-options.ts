import { IsWholeNumber } from '@millrace/core';
import { IsBoolean, IsOptional } from 'class-validator';

/** What `@JobHandler` takes after the job. */
export class JobHandlerOptions {
  /** Jobs of the queue in this process's hands at once, 1 to 1000; of the handlers of one queue the highest counts. Default 8. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 1_000 })
  concurrency?: number = 8;

  /** Run the handler inside a SQL transaction that takes effect once a job. Default false. */
  @IsOptional() @IsBoolean()
  inbox?: boolean = false;
}
