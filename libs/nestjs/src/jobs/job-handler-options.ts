import { type Duration, IsDurationOption, IsWholeNumber } from '@millrace/core';
import { IsBoolean, IsOptional } from 'class-validator';

/** What `@JobHandler` takes after the job. */
export class JobHandlerOptions {
  /** Jobs of the queue in this process's hands at once, 1 to 1000; of the handlers of one queue the highest counts. Default 8. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 1_000 })
  concurrency?: number = 8;

  /**
   * How long an attempt may take, `'1ms'` to `'1d'`. When it is over `ctx.signal` aborts, the attempt fails with TIMEOUT and is
   * retried as `@Job` says, and its slot is free: what the handler still does counts for nothing, and may overlap the next
   * attempt. With the inbox its transaction is rolled back. Default: no limit.
   */
  @IsOptional() @IsDurationOption({ min: '1ms', max: '1d' })
  timeout?: Duration;

  /** Run the handler inside a SQL transaction that takes effect once a job. Default false. */
  @IsOptional() @IsBoolean()
  inbox?: boolean = false;
}
