import { type Duration, IsDurationOption, IsWholeNumber } from '@millrace/core';
import { IsOptional } from 'class-validator';

/** How many dead letters a group keeps in each partition; the oldest go first, and are counted (`deadLettersDropped`). */
export class DeadLettersOptions {
  /** How old they may be, `'1s'` to `'3650d'`. Default `'90d'`. */
  @IsOptional() @IsDurationOption({ min: '1s', max: '3650d' })
  maxAge?: Duration = '90d';

  /** The most dead letters, 1 to 1000000000. Default 100000. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 1_000_000_000 })
  maxMessages?: number = 100_000;

  /** The most memory that they take, in bytes, at least 65536; it is measured by samples. Default 67108864, which is 64 MiB. */
  @IsOptional() @IsWholeNumber({ min: 65_536 })
  maxBytes?: number = 67_108_864;
}
