import { IsMoment } from '@millrace/core';
import { IsBoolean, IsOptional } from 'class-validator';

/** The options of `purge`. */
export class PurgeOptions {
  /** Removes messages that were stored before this moment, by Redis's clock. Default: all that are there now. */
  @IsOptional() @IsMoment()
  before?: Date;

  /**
   * Removes messages, too, that a group has not settled: it never gets them, and they count as dropped. Default false: what is
   * behind the first such message of a partition stays.
   */
  @IsOptional() @IsBoolean()
  unsettled?: boolean = false;
}
