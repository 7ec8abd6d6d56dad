import { IsWholeNumber } from '@millrace/core';
import { IsBoolean, IsOptional } from 'class-validator';

/** Options of `raisePartitions`. */
export class RaiseOptions {
  /** The number of partitions that the topic has, 1 to 256: with another one, nothing is changed. */
  @IsWholeNumber({ min: 1, max: 256 })
  from!: number;

  /** The number that it is to have, more than `from`, 2 to 256. */
  @IsWholeNumber({ min: 2, max: 256 })
  to!: number;

  /** Only look whether it can be raised. Default false. */
  @IsOptional() @IsBoolean()
  preview?: boolean = false;
}
