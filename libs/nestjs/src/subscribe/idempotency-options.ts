import { type Duration, durationMs, IsDurationOption, IsFunction, IsWholeNumber, parseOptions } from '@millrace/core';
import { IsOptional } from 'class-validator';

/** How messages of a group, or jobs, are kept from being handled twice. */
export class IdempotencyOptions<Payload = unknown, Context = unknown> {
  /**
   * The key of a message, or a job: those with the same key are handled once. A function of payload and context that gives a text
   * of 1 to 256 bytes of UTF-8 without NUL. It must give the same for the same message, and at once: one that throws, or gives
   * anything else, makes a dead letter (NO_IDEMPOTENCY_KEY). Default: the id of the message, or of the job.
   */
  @IsOptional() @IsFunction()
  key?: (payload: Payload, context: Context) => string;

  /**
   * How long it is known at the least that one is done, `'1s'` to `'365d'`, and up to as long again. Give it the same in every
   * process. It does not bound the work: a key is in progress while its handler is at work, for up to a day, or
   * `ttl` where that is longer. Default `'7d'`.
   */
  @IsOptional() @IsDurationOption({ min: '1s', max: '365d' })
  ttl?: Duration = '7d';

  /**
   * How many may be known, done or in progress, 8 to 100000000. Beyond it messages wait until others are forgotten (LEDGER_FULL).
   * Default 1000000.
   */
  @IsOptional() @IsWholeNumber({ min: 8, max: 100_000_000 })
  maxEntries?: number = 1_000_000;
}

/** The options as a handler goes by them. */
export interface IdempotencyRule {
  readonly keyOf: ((payload: object, context: never) => unknown) | undefined;
  readonly keepMs: number;
  readonly maxEntries: number;
}

/** @throws MillraceError INVALID_OPTIONS */
export function idempotencyIn(raw: unknown, where: string): IdempotencyRule | null {
  if (raw === undefined || raw === false) return null;
  const given = raw === true ? {} : (raw as IdempotencyOptions);
  const { key, ttl, maxEntries } = parseOptions<IdempotencyOptions<object, never>>(IdempotencyOptions, given, where);
  return { keyOf: key, keepMs: durationMs(ttl), maxEntries };
}
