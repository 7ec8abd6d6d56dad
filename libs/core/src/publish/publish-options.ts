import { IsObject, IsOptional, IsString, ValidateBy } from 'class-validator';
import { parseOptions } from '../options/parse-options.js';

/** What a publish takes beside the payload. */
export class PublishOptions {
  /** Makes the publish unique within the topic's idempotency window: 1 to 256 bytes. Default: none. */
  @IsOptional() @IsIdempotencyKey()
  idempotencyKey?: string;

  /** Decides the partition, in place of the topic's `key`: at most 1024 bytes; empty for none. */
  @IsOptional() @IsString()
  key?: string;

  /** At most 64 short strings that travel with the message. Default: none. */
  @IsOptional() @IsObject()
  headers?: Record<string, string>;
}

const MAX_IDEMPOTENCY_KEY_BYTES = 256;

/** The property is an idempotency key: a string of 1 to 256 bytes. */
export function IsIdempotencyKey(): PropertyDecorator {
  return ValidateBy({
    name: 'isIdempotencyKey',
    validator: {
      validate: isIdempotencyKey,
      defaultMessage: () => `idempotencyKey must be a string of 1 to ${MAX_IDEMPOTENCY_KEY_BYTES} bytes, without half characters`,
    },
  });
}

/**
 * @param where what the caller called, for the error: `publish(OrderPlaced)`
 * @throws MillraceError INVALID_OPTIONS
 */
export function publishOptions(raw: unknown, where: string): PublishOptions {
  // It runs for every message. What this quick look does not pass is checked by the rules above, which say what is wrong.
  return areGood(raw) ? raw : parseOptions(PublishOptions, raw, where);
}

function areGood(raw: unknown): raw is PublishOptions {
  if (raw === null || typeof raw !== 'object' || Array.isArray(raw)) return false;
  return Object.entries(raw).every(([name, value]) => value === undefined || QUICK.get(name)?.(value));
}

const QUICK: ReadonlyMap<string, (value: unknown) => boolean> = new Map([
  ['idempotencyKey', isIdempotencyKey],
  ['key', (value) => typeof value === 'string'],
  ['headers', (value) => typeof value === 'object' && value !== null && !Array.isArray(value)],
]);

/** Half of a surrogate pair is stored as U+FFFD: two keys that differ only in that would be one. */
function isIdempotencyKey(value: unknown): boolean {
  if (typeof value !== 'string' || value === '' || value.length > MAX_IDEMPOTENCY_KEY_BYTES) return false;
  return Buffer.byteLength(value) <= MAX_IDEMPOTENCY_KEY_BYTES && !/\p{Surrogate}/u.test(value);
}
