import { IsBoolean, IsDate, IsOptional, MinDate } from 'class-validator';

/** The options of `purge`. */
export class PurgeOptions {
  /** Removes messages that were stored before this moment, by Redis's clock. Default: all that are there now. */
  @IsOptional() @IsDate() @MinDate(new Date(0))
  before?: Date;

  /**
   * Removes messages, too, that a group has not settled: it never gets them, and they count as dropped. Default false: what is
   * behind the first such message of a partition stays.
   */
  @IsOptional() @IsBoolean()
  unsettled?: boolean = false;
}
