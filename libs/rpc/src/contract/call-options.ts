import {
  type Duration, type DurationBounds, IsDurationOption, isDurationWithin, isEntryId, IsIdempotencyKey, parseOptions,
  passesQuickly, type QuickRules,
} from '@millrace/core';
import { IsInstance, IsObject, IsOptional, Length } from 'class-validator';

const TIMEOUT: DurationBounds = { min: '1ms', max: '1d' };
const LONGEST_INSTANCE = 200;
const LONGEST_KEY = 1_024;

/** Options of one call: the last argument of a method of a client. */
export class CallOptions {
  /**
   * How long the caller waits for the answer, `'1ms'` to `'1h'`; for the whole of a streamed one, up to `'1d'`. Default: that of
   * the method.
   */
  @IsOptional() @IsDurationOption(TIMEOUT)
  timeout?: Duration;

  /** Ends the call with CALL_CANCELLED when it aborts; the method is told by `ctx.signal`, or not executed at all. */
  @IsOptional() @IsInstance(AbortSignal)
  signal?: AbortSignal;

  /**
   * Names the request of an idempotent method, 1 to 256 bytes: a call with a name that was used before is answered with the first
   * result, as long as that is kept, also when its payload is another one. Default: a name of its own for each call, which holds
   * for what is sent again.
   */
  @IsOptional() @IsIdempotencyKey()
  requestId?: string;

  /** Headers of the request, as those of a message: text by name. Default: the trace of the caller alone. */
  @IsOptional() @IsObject()
  headers?: Record<string, string>;

  /** The `member` of the instance that is to execute the call. Default: any, or one that the client chooses. */
  @IsOptional() @Length(1, LONGEST_INSTANCE)
  instance?: string;

  /**
   * Calls with the same key go the same way, by the strategy `'key'` and by routes; up to 1024 characters. Default: that of the
   * client.
   */
  @IsOptional() @Length(0, LONGEST_KEY)
  key?: string;
}

/**
 * @param where the method that is called, for the error: `payments.charge()`
 * @throws MillraceError INVALID_OPTIONS
 */
export function callOptions(raw: unknown, where: string): CallOptions {
  // This quick check runs for every call with options.
  return passesQuickly(raw, QUICK) ? raw : parseOptions(CallOptions, raw, `The call of ${where}`);
}

const QUICK: QuickRules = new Map<string, (value: unknown) => boolean>([
  ['timeout', (value) => isDurationWithin(value, TIMEOUT)],
  ['signal', (value) => value instanceof AbortSignal],
  ['requestId', isEntryId],
  ['headers', (value) => typeof value === 'object' && value !== null && !Array.isArray(value)],
  ['instance', (value) => isTextWithin(value, 1, LONGEST_INSTANCE)],
  ['key', (value) => isTextWithin(value, 0, LONGEST_KEY)],
]);

/** Characters beyond the basic plane count as two: those texts go the whole way when they are too long by that. */
function isTextWithin(value: unknown, shortest: number, longest: number): boolean {
  return typeof value === 'string' && value.length >= shortest && value.length <= longest;
}
