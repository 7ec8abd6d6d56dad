import { type Duration, IsDurationOption, IsWholeNumber } from '@millrace/core';
import { IsBoolean, IsOptional } from 'class-validator';

/** The part of the options of `MillraceModule` that concerns remote calls. */
export class CallsOptions {
  /**
   * How long the answer of an idempotent method is kept for a request that its caller named, and how long a result is kept that
   * is fetched later, behind the deadline of its call: `'1s'` to `'30d'`. Default `'10m'`.
   */
  @IsOptional() @IsDurationOption({ min: '1s', max: '30d' })
  keepAnswers?: Duration = '10m';

  /** Whether callers get the stacks of errors that methods throw: they name files of the service. Default false. */
  @IsOptional() @IsBoolean()
  exposeStacks?: boolean = false;

  /** How many requests may wait for a service; calls beyond are rejected with BACK_PRESSURE. 1 to 10,000,000. Default 100,000. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 10_000_000 })
  maxWaiting?: number = 100_000;

  /** Most bytes of a request or an answer, as JSON: 1 KiB to 64 MiB. Default 1,048,576 (1 MiB). */
  @IsOptional() @IsWholeNumber({ min: 1_024, max: 64 * 1_024 ** 2 })
  maxPayloadBytes?: number = 1_048_576;
}
