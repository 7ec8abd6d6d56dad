import { type Duration, IsDurationOption } from '@millrace/core';
import { IsBoolean, IsOptional } from 'class-validator';

/** Options of `remove`. */
export class RemoveOptions {
  /** Only count what would be removed. Default false. */
  @IsOptional() @IsBoolean()
  preview?: boolean = false;

  /** Remove it though members live: they notice the removal, and stop reading. Default false. */
  @IsOptional() @IsBoolean()
  force?: boolean = false;

  /** How long to wait for the last member to leave, `'0ms'` to `'1h'`. Default `'30s'`. */
  @IsOptional() @IsDurationOption({ min: '0ms', max: '1h' })
  within?: Duration = '30s';
}
