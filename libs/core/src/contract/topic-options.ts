import type { Durability } from '../publish/durability.js';
import { IsDurability, IsDurationOption, IsFunction, IsOneOf, IsWholeNumber } from '../options/rules.js';
import { IsOptional } from 'class-validator';
import { type Duration } from '../duration.js';
import { IsRetention, type RetentionOptions } from './retention.js';
import { UNKNOWN_PROPERTIES, type UnknownProperties } from './unknown-properties.js';

const IDEMPOTENCY_SCOPES = ['topic', 'partition'] as const;

/** Where an idempotency key is unique: see {@link TopicOptions.idempotencyScope}. */
export type IdempotencyScope = (typeof IDEMPOTENCY_SCOPES)[number];

/** Options of `@Topic`: its second argument. */
export class TopicOptions<T = object> {
  /** Ordered shards of the topic, 1 to 256. Once the topic exists, `Topics.raisePartitions` alone makes them more. Default 1. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 256 })
  partitions?: number = 1;

  /** Decides the partition: messages with the same key share one. Default: no key, messages spread evenly. */
  @IsOptional() @IsFunction()
  key?: (payload: T) => string | null | undefined;

  /**
   * How long an idempotency key is remembered after it was used, at least; at most twice as long. `'1s'` to `'30d'`.
   * Default `'1d'`.
   */
  @IsOptional() @IsDurationOption({ min: '1s', max: '30d' })
  idempotencyWindow?: Duration = '1d';

  /**
   * Where an idempotency key is unique:
   * - `'topic'`: in the whole topic. A message with another key than its idempotency key costs one more round trip.
   * - `'partition'`: among the messages of one partition, without that round trip. For producers that never use an
   *   idempotency key with two keys: their messages may land in two partitions, and both would be stored.
   *
   * Default `'topic'`.
   */
  @IsOptional() @IsOneOf(IDEMPOTENCY_SCOPES)
  idempotencyScope?: IdempotencyScope = 'topic';

  /**
   * How long a message is of use, from its publish on, or from when it is due; an older one is not handled any more. `'1ms'` to
   * `'365d'`. Default: for ever.
   */
  @IsOptional() @IsDurationOption({ min: '1ms', max: '365d' })
  ttl?: Duration;

  /** The guarantee of a resolved publish, unless its own options say another. Default `'server'`: Redis has the message. */
  @IsOptional() @IsDurability()
  durability?: Durability = 'server';

  /** How long messages are kept, a partition; `'settled'`: until every group is done with them. Default: everything is kept. */
  @IsOptional() @IsRetention()
  retention?: RetentionOptions | 'settled';

  /**
   * The rule for properties that the class does not declare: `'refuse'`, `'strip'` or `'keep'`. Default: the option of
   * `MillraceModule`, else `'refuse'`. It holds for the topic's `@MessageType`s, too.
   */
  @IsOptional() @IsOneOf(UNKNOWN_PROPERTIES)
  unknownProperties?: UnknownProperties;
}
