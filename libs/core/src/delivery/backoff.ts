import { IsBoolean, IsOptional } from 'class-validator';
import { durationMs, type Duration } from '../duration.js';
import { parseOptions } from '../options/parse-options.js';

/** How long to wait before the next attempt. */
export type Backoff = CurveBackoff | CustomBackoff;

/** A delay that is a function of the failures alone. */
export interface CurveBackoff {
  readonly kind: 'fixed' | 'exponential';
  readonly delayMs: number;
  readonly maxMs: number;
  /** Spread the delay evenly over its upper half, so that messages that failed together do not come back together. */
  readonly jitter: boolean;
}

/** The pauses of a background loop whose rounds fail. */
export const LOOP_BACKOFF: CurveBackoff = { kind: 'exponential', delayMs: 50, maxMs: 2_000, jitter: false };

/** A delay that a function of the user decides. */
export interface CustomBackoff {
  readonly kind: 'custom';
  readonly delay: (failures: number, error: Error) => Duration;
}

/** Options of `fixed()`: its second argument. */
export class FixedOptions {
  /** Spread the delay over its upper half. Default false. */
  @IsOptional() @IsBoolean()
  jitter?: boolean = false;
}

/** Options of `exponential()`: its second argument. */
export class ExponentialOptions {
  /** The longest delay. Default `'1h'`. */
  @IsOptional()
  max?: Duration = '1h';

  /** Spread each delay over its upper half. Default true. */
  @IsOptional() @IsBoolean()
  jitter?: boolean = true;
}

/**
 * The same delay each time.
 *
 * @throws MillraceError INVALID_OPTIONS
 */
export function fixed(delay: Duration, options: FixedOptions = {}): CurveBackoff {
  const delayMs = durationMs(delay);
  const { jitter } = parseOptions(FixedOptions, options, `fixed('${delay}')`);
  return { kind: 'fixed', delayMs, maxMs: delayMs, jitter };
}

/**
 * `delay`, then twice that, four times, ... up to `max`.
 *
 * @throws MillraceError INVALID_OPTIONS
 */
export function exponential(delay: Duration, options: ExponentialOptions = {}): CurveBackoff {
  const delayMs = durationMs(delay);
  const { max, jitter } = parseOptions(ExponentialOptions, options, `exponential('${delay}')`);
  return { kind: 'exponential', delayMs, maxMs: durationMs(max), jitter };
}

/** The back-off when none is given, and when the user's own function fails. */
export const DEFAULT_BACKOFF: CurveBackoff = exponential('1s', { max: '5m' });

/**
 * Calls `delay` for each wait, with the number of attempts that have failed, from 1, and the error of the last one. It must
 * return a duration at once. When it throws, or returns none, the message waits as long as by default, and `backoff-failed` is
 * emitted.
 */
export function custom(delay: (failures: number, error: Error) => Duration): CustomBackoff {
  return { kind: 'custom', delay };
}

export function isBackoff(value: unknown): value is Backoff {
  const { kind, delay } = (value ?? {}) as Partial<CustomBackoff>;
  return kind === 'custom' ? typeof delay === 'function' : isCurveBackoff(value);
}

export function isCurveBackoff(value: unknown): value is CurveBackoff {
  const { kind, delayMs, maxMs, jitter } = (value ?? {}) as Partial<CurveBackoff>;
  const areDelays = [delayMs, maxMs].every((ms) => Number.isSafeInteger(ms) && Number(ms) >= 0);
  return (kind === 'fixed' || kind === 'exponential') && areDelays && typeof jitter === 'boolean';
}

/**
 * @param failures attempts that have failed, at least 1
 * @returns whole milliseconds
 */
export function backoffDelayMs(backoff: CurveBackoff, failures: number, random: () => number = Math.random): number {
  const grown = backoff.kind === 'fixed' ? backoff.delayMs : backoff.delayMs * 2 ** Math.min(failures - 1, 40);
  const delay = Math.min(grown, backoff.maxMs);
  return Math.round(backoff.jitter ? delay * (0.5 + random() / 2) : delay);
}
