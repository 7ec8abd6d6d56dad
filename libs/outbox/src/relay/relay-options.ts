import { type CurveBackoff, type Duration, exponential, IsCurveBackoff, IsDurationOption, IsWholeNumber } from '@millrace/core';
import { IsOptional, IsString } from 'class-validator';

/** Options of an {@link OutboxRelay}. */
export class RelayOptions {
  /** How long a row may wait until the relay looks for it by itself: `'10ms'` to `'1h'`. Default `'1s'`. */
  @IsOptional() @IsDurationOption({ min: '10ms', max: '1h' })
  poll?: Duration = '1s';

  /**
   * URL of the PostgreSQL, for one connection of its own on which the relay hears of new rows at once (`LISTEN`); not that of a
   * pooler which lends a connection for a transaction only. Default: none, the relay looks for rows every `poll`.
   */
  @IsOptional() @IsString()
  listen?: string;

  /** How long published rows are kept: `'0ms'` to `'365d'`. Default `'0ms'`: they are removed at once. */
  @IsOptional() @IsDurationOption({ min: '0ms', max: '365d' })
  keep?: Duration = '0ms';

  /** Attempts of a row in all, 1 to 1000, before it is dead. While Redis is away none is counted. Default 20: about an hour. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 1_000 })
  attempts?: number = 20;

  /** The pauses between the attempts of a row, and of its key. Default `exponential('1s', { max: '5m' })`. */
  @IsOptional() @IsCurveBackoff()
  backoff?: CurveBackoff = exponential('1s', { max: '5m' });

  /** Rows that are published in one transaction at the most, 1 to 5000. Default 500. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 5_000 })
  pageRows?: number = 500;

  /** Pages at once in this process, 1 to 16, each on a connection of its own. Default 1. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 16 })
  concurrency?: number = 1;
}
