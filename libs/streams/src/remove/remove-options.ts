import { type Duration, IsDurationOption } from '@millrace/core';
import { IsBoolean, IsOptional } from 'class-validator';

/** What `remove` takes. */
export class RemoveOptions {
  /** Only tell what would go. Default false. */
  @IsOptional() @IsBoolean()
  preview?: boolean = false;

  /** Remove it though members live: they are told that it was removed, and stop reading. Default false. */
  @IsOptional() @IsBoolean()
  force?: boolean = false;

  /** How long to wait until no member lives any more, `'0ms'` to `'1h'`. Default `'30s'`. */
  @IsOptional() @IsDurationOption({ min: '0ms', max: '1h' })
  within?: Duration = '30s';
}
