import { type BreakerRule, type Duration, durationMs, IsDurationOption, IsWholeNumber, parseOptions } from '@millrace/core';
import { IsOptional } from 'class-validator';

/** When a subscription is paused in a process because its handler fails there. */
export class BreakerOptions {
  /**
   * It is paused when more than this percentage of the latest messages failed at their first attempt, 1 to 99. A handler that
   * gives a message up with `DeadLetter`, or wants it later with `RetryLater`, has not failed. Default 90.
   */
  @IsOptional() @IsWholeNumber({ min: 1, max: 99 })
  failureRate?: number = 90;

  /** How many of the latest messages count, 5 to 1000; it is not paused before it has handled so many. Default 20. */
  @IsOptional() @IsWholeNumber({ min: 5, max: 1_000 })
  messages?: number = 20;

  /**
   * How long it is paused before it tries a few, `'100ms'` to `'1m'`. Each trial that fails doubles it, up to a minute.
   * Default `'1s'`.
   */
  @IsOptional() @IsDurationOption({ min: '100ms', max: '1m' })
  openFor?: Duration = '1s';
}

/** @throws MillraceError INVALID_OPTIONS */
export function breakerIn(raw: boolean | BreakerOptions = true, where: string): BreakerRule | null {
  if (raw === false) return null;
  const { failureRate, messages, openFor } = parseOptions(BreakerOptions, raw === true ? {} : raw, where);
  return { threshold: failureRate / 100, messages, openForMs: durationMs(openFor) };
}
