import { type Duration, IsDurationOption, IsPosition, IsVisibleText, IsWholeNumber, type Position } from '@millrace/core';
import { IsBoolean, IsOptional } from 'class-validator';

/** The options of `pause`. */
export class PauseOptions {
  /** How long to wait until no member holds a message any more, `'0ms'` to `'1h'`. Default `'30s'`. */
  @IsOptional() @IsDurationOption({ min: '0ms', max: '1h' })
  within?: Duration = '30s';

  /** The name of whoever asks for it, which `pauseOf` tells: 1 to 200 visible characters. Default: none. */
  @IsOptional() @IsVisibleText(200)
  by?: string;
}

/** The options of `seek`. */
export class SeekOptions {
  /** Where the group goes on: `'earliest'`, `'latest'`, a `Date`, or `{ offset: 42 }` in each partition. Required. */
  @IsPosition()
  to!: Position;

  /** One partition alone. Default: all. */
  @IsOptional() @IsWholeNumber({ min: 0 })
  partition?: number;

  /**
   * Handle messages again though a handler with `idempotency` has done them; each is done once in this replay, too. Default
   * false: they are skipped.
   */
  @IsOptional() @IsBoolean()
  force?: boolean = false;

  /** Only report what would happen. Default false. */
  @IsOptional() @IsBoolean()
  preview?: boolean = false;

  /** How long to wait until no member holds a message any more, `'0ms'` to `'1h'`. Default `'30s'`. */
  @IsOptional() @IsDurationOption({ min: '0ms', max: '1h' })
  within?: Duration = '30s';
}
