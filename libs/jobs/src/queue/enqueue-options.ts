import { type Duration, IsDurationOption, IsIdempotencyKey, IsWholeNumber } from '@millrace/core';
import { IsOptional } from 'class-validator';

/** BullMQ's own limit. */
export const MAX_PRIORITY = 2 ** 21 - 1;

/** Options of an enqueue. */
export class EnqueueOptions {
  /** The job becomes due this long after it was stored, by Redis's clock, up to `'365d'`. Default: at once. */
  @IsOptional() @IsDurationOption({ min: '0ms', max: '365d' })
  delay?: Duration;

  /** Makes the job unique: 1 to 256 bytes. See {@link JobQueue.enqueue}. Default: none. */
  @IsOptional() @IsIdempotencyKey()
  idempotencyKey?: string;

  /** 1 (first) to 2,097,151 (last); jobs without a priority, or 0, come before all of them. Default 0. */
  @IsOptional() @IsWholeNumber({ min: 0, max: MAX_PRIORITY })
  priority?: number;
}
