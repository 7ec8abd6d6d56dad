import { type CurveBackoff, type Duration, IsCurveBackoff, IsDurationOption, IsWholeNumber } from '@millrace/core';
import type { SqlSource } from '@millrace/outbox';
import { IsBoolean, IsObject, IsOptional, IsString } from 'class-validator';

/** Options of the outbox: `outbox` of `MillraceModule.forRoot`. */
export class OutboxOptions {
  /**
   * Whether this process publishes what stands in the outbox; any number of processes may. Default `MILLRACE_OUTBOX`, else true.
   */
  @IsOptional() @IsBoolean()
  relay?: boolean;

  /** The database of the application. Default: the one of `database`. */
  @IsOptional() @IsObject()
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- the transactions of any library
  source?: SqlSource<any>;

  /** The table: 1 to 40 of `a-z 0-9 _`. Default `millrace_outbox`. */
  @IsOptional() @IsString()
  table?: string;

  /** The schema of the table. Default: the one that the connection is in. */
  @IsOptional() @IsString()
  schema?: string;

  /** Whether a process makes the tables that are not there; else it refuses to start without them. Default true. */
  @IsOptional() @IsBoolean()
  createTables?: boolean;

  /**
   * URL of the PostgreSQL on which the relay hears of new rows at once; `''` for none. Default: that of `database`; with a
   * `source` none. Not that of a pooler that lends a connection for a transaction only.
   */
  @IsOptional() @IsString()
  listen?: string;

  /** How long a row may wait until a relay looks for it by itself: `'10ms'` to `'1h'`. Default `'1s'`. */
  @IsOptional() @IsDurationOption({ min: '10ms', max: '1h' })
  poll?: Duration;

  /** How long published rows are kept: `'0ms'` to `'365d'`. Default `'0ms'`: they are removed at once. */
  @IsOptional() @IsDurationOption({ min: '0ms', max: '365d' })
  keep?: Duration;

  /** Attempts of a row in all, 1 to 1000, before it is dead. While Redis is away none is counted. Default 20: about an hour. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 1_000 })
  attempts?: number;

  /** The pauses between the attempts of a row, and of its key. Default `exponential('1s', { max: '5m' })`. */
  @IsOptional() @IsCurveBackoff()
  backoff?: CurveBackoff;

  /** Rows that are published in one transaction at the most, 1 to 5000. Default 500. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 5_000 })
  pageRows?: number;

  /** Pages at once in this process, 1 to 16, each on a connection of its own. Default 1. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 16 })
  concurrency?: number;
}
