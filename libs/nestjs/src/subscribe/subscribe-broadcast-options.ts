import { type Duration, IsDurationOption, IsWholeNumber } from '@millrace/core';
import { IsObject, IsOptional } from 'class-validator';
import type { FilterOptions } from './filter-options.js';
import type { RetryOptions } from './subscribe-options.js';

/** What `@SubscribeBroadcast` takes after the topic. */
export class SubscribeBroadcastOptions {
  /** Messages in the handler's hands at once, 1 to 1000. Default 16. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 1_000 })
  concurrency?: number = 16;

  /** Default 5 attempts, from 1 second to 5 minutes apart. At most 1000 messages wait for another. */
  @IsOptional() @IsObject()
  retry?: RetryOptions = {};

  /** How long an attempt may take, `'1ms'` to `'1d'`; as that of `@Subscribe`. Default: no limit. */
  @IsOptional() @IsDurationOption({ min: '1ms', max: '1d' })
  timeout?: Duration;

  /** Which messages the handler is for. Default: all. */
  @IsOptional() @IsObject()
  filter?: FilterOptions;
}
