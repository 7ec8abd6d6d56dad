import { IsObject, IsOptional, IsString, ValidateBy } from 'class-validator';
import { type Duration, durationMs } from '../duration.js';
import { hasHalfCharacter } from '../names.js';
import { parseOptions } from '../options/parse-options.js';
import { passesQuickly, type QuickRules } from '../options/quick-check.js';
import { A_MOMENT, type DurationBounds, IsDurability, IsDurationOption, isDurationWithin } from '../options/rules.js';
import { type Durability, isDurability } from './durability.js';

const TTL: DurationBounds = { min: '1ms', max: '365d' };
const DEADLINE: DurationBounds = { min: '1ms', max: '1d' };
const DELAY: DurationBounds = { min: '0s', max: '365d' };

/** Options of a publish. */
export class PublishOptions {
  /**
   * Makes the publish unique in the topic, within its `idempotencyWindow`: 1 to 256 bytes. Another payload, type or key under
   * it is an IdempotencyMismatchError; the order of properties is no difference. Default: none.
   */
  @IsOptional() @IsIdempotencyKey()
  idempotencyKey?: string;

  /** Decides the partition, in place of the topic's `key`: at most 1024 bytes, without half characters; empty for none. */
  @IsOptional() @IsString()
  key?: string;

  /**
   * At most 64 short strings that travel with the message. Without a `traceparent` among them, that of the message being
   * handled is added. Default: none.
   */
  @IsOptional() @IsObject()
  headers?: Record<string, string>;

  /**
   * How long the message is of use, in place of the topic's `ttl`: `'1ms'` to `'365d'`. An older message is not handled any
   * more. It is counted by this process's clock. Default: that of the topic.
   */
  @IsOptional() @IsDurationOption(TTL)
  ttl?: Duration;

  /**
   * How long this publish is tried before it is rejected: `'1ms'` to `'1d'`. It is looked at between two tries, and a try
   * takes 2 seconds at the most. However long it is tried, it is stored once. A publish that is made again afterwards, with the
   * same idempotency key, is known while the topic's `idempotencyWindow` from the first one lasts: let that be longer.
   * Default: that of the application, 10 seconds.
   */
  @IsOptional() @IsDurationOption(DEADLINE)
  deadline?: Duration;

  /** How long to wait before the groups get the message, by Redis's clock: `'0s'` to `'365d'`. Default: not at all. */
  @IsOptional() @IsDurationOption(DELAY)
  delay?: Duration;

  /** When the groups get the message, in place of `delay`: at most 365 days ahead; the past means now. */
  @IsOptional() @IsDueDate() @IsWithoutDelay()
  deliverAt?: Date;

  /** The guarantee that this publish gives when it resolves, in place of the topic's `durability`. */
  @IsOptional() @IsDurability()
  durability?: Durability;
}

const MAX_IDEMPOTENCY_KEY_BYTES = 256;

/** The property is an idempotency key: a string of 1 to 256 bytes. */
export function IsIdempotencyKey(): PropertyDecorator {
  return ValidateBy({
    name: 'isIdempotencyKey',
    validator: {
      validate: isIdempotencyKey,
      defaultMessage: () => `$property must be a string of 1 to ${MAX_IDEMPOTENCY_KEY_BYTES} bytes, without half characters`,
    },
  });
}

function IsDueDate(): PropertyDecorator {
  return ValidateBy({
    name: 'isDueDate',
    validator: { validate: isDueDate, defaultMessage: () => `deliverAt must be ${A_MOMENT}, at most 365 days ahead` },
  });
}

function IsWithoutDelay(): PropertyDecorator {
  return ValidateBy({
    name: 'isWithoutDelay',
    validator: {
      validate: (_, given) => (given?.object as PublishOptions).delay === undefined,
      defaultMessage: () => 'deliverAt must not be given together with delay: leave one of them out',
    },
  });
}

/**
 * @param where what the caller called, for the error: `publish(OrderPlaced)`
 * @throws MillraceError INVALID_OPTIONS
 */
export function publishOptions(raw: unknown, where: string): PublishOptions {
  // This quick check runs for every message. The rules above check everything that it does not pass, and say what is wrong.
  return areGood(raw) ? raw : parseOptions(PublishOptions, raw, where);
}

function areGood(raw: unknown): raw is PublishOptions {
  return passesQuickly(raw, QUICK) && !('delay' in raw && 'deliverAt' in raw);
}

const QUICK: QuickRules = new Map<string, (value: unknown) => boolean>([
  ['idempotencyKey', isIdempotencyKey],
  ['key', (value) => typeof value === 'string'],
  ['headers', (value) => typeof value === 'object' && value !== null && !Array.isArray(value)],
  ['ttl', (value) => isDurationWithin(value, TTL)],
  ['deadline', (value) => isDurationWithin(value, DEADLINE)],
  ['delay', (value) => isDurationWithin(value, DELAY)],
  ['deliverAt', isDueDate],
  ['durability', isDurability],
]);

function isIdempotencyKey(value: unknown): boolean {
  if (typeof value !== 'string' || value === '' || value.length > MAX_IDEMPOTENCY_KEY_BYTES) return false;
  return Buffer.byteLength(value) <= MAX_IDEMPOTENCY_KEY_BYTES && !hasHalfCharacter(value);
}

function isDueDate(value: unknown): boolean {
  return value instanceof Date && value.getTime() <= Date.now() + durationMs(DELAY.max);
}
