import { IsOptional } from 'class-validator';
import type { Duration } from '../duration.js';
import { parseOptions } from '../options/parse-options.js';
import { type DurationBounds, IsDurationOption, IsWholeNumber } from '../options/rules.js';
import { PublishOptions } from './publish-options.js';

const CHECK_AFTER: DurationBounds = { min: '1s', max: '1d' };

/**
 * Options of a half message: those of a publish, which is its commit. `delay` and `ttl` count from the commit on; the
 * idempotency key is used by the commit, and `deadline` and `durability` hold for the half message and for its commit alike.
 */
export class HalfOptions extends PublishOptions {
  /**
   * How long the half message may stay one before the `@TransactionCheck` of its topic is asked about it, by Redis's clock:
   * `'1s'` to `'1d'`. Let it be longer than the transaction takes as a rule. Default `'30s'`.
   */
  @IsOptional() @IsDurationOption(CHECK_AFTER)
  checkAfter?: Duration = '30s';

  /**
   * How many answers `'unknown'`, or failures of the handler, it takes until nobody is asked any more, 1 to 1000: then it is kept
   * until an operator decides. Default 15.
   */
  @IsOptional() @IsWholeNumber({ min: 1, max: 1_000 })
  checks?: number = 15;
}

/** The options of a half message, apart from those of its publish. */
export interface HalfRules {
  readonly checkAfter: Duration;
  readonly checks: number;
  readonly publish: PublishOptions;
}

/**
 * @param where what the caller called, for the error
 * @throws MillraceError INVALID_OPTIONS
 */
export function halfRules(raw: unknown, where: string): HalfRules {
  const { checkAfter, checks, ...publish } = parseOptions(HalfOptions, raw, where);
  return { checkAfter, checks, publish };
}
