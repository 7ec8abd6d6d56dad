import { type Duration, IsDurationOption, IsWholeNumber } from '@millrace/core';
import type { JobContext } from '@millrace/jobs';
import { IsBoolean, IsOptional } from 'class-validator';
import { IsBooleanOrOptions } from '../subscribe/boolean-or-options.js';
import type { IdempotencyOptions } from '../subscribe/idempotency-options.js';

/** Options of `@JobHandler`: its second argument. */
export class JobHandlerOptions<Payload = unknown> {
  /** Jobs of the queue that this process handles at once, 1 to 1000; the highest of the queue's handlers counts. Default 8. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 1_000 })
  concurrency?: number = 8;

  /**
   * How long an attempt may take, `'1ms'` to `'1d'`. When it is over `ctx.signal` aborts, the attempt fails with TIMEOUT and is
   * retried as `@Job` says, and its slot is free: the result of the handler counts for nothing then, and its work may overlap the
   * next attempt. With the inbox its transaction is rolled back. Default: no limit.
   */
  @IsOptional() @IsDurationOption({ min: '1ms', max: '1d' })
  timeout?: Duration;

  /** Run the handler inside a SQL transaction that takes effect once a job. Default false. */
  @IsOptional() @IsBoolean()
  inbox?: boolean = false;

  /**
   * Handle jobs with the same key once, by a ledger in Redis: of the same key one is handled at a time, and none when one is
   * done; the others are completed with the return value `'deduplicated'`. `true`, or an object of options. Default false.
   */
  @IsOptional() @IsBooleanOrOptions()
  idempotency?: boolean | IdempotencyOptions<Payload, JobContext> = false;
}
