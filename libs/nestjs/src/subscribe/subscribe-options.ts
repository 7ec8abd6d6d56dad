import {
  type Durability,
  type DeliveryContext,
  IsDurability,
  type Backoff,
  DEFAULT_BACKOFF,
  type Duration,
  type ErrorClass,
  IsBackoff,
  IsDurationOption,
  IsFunction,
  IsName,
  IsOneOf,
  IsPosition,
  IsWholeNumber,
  type Position,
} from '@millrace/core';
import { IsArray, IsBoolean, IsObject, IsOptional, ValidateBy, type ValidationArguments } from 'class-validator';
import { IsBooleanOrOptions } from './boolean-or-options.js';
import type { BreakerOptions } from './breaker-options.js';
import type { DeadLettersOptions } from './dead-letters-options.js';
import { FilterOptions } from './filter-options.js';
import type { IdempotencyOptions } from './idempotency-options.js';
import { IsOnExhausted, ORDERS, type Order, type OnExhausted } from './ordering-options.js';

/** Other attempts and back-offs for one class of errors; parts that are left out are those of the rest of the policy. */
export class RetryRuleOptions {
  /** The class, its subclasses included. Required. */
  @IsFunction()
  error!: ErrorClass;

  /** Attempts in all, the first one and failures with other errors included, 1 to 1000. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 1_000 })
  attempts?: number;

  @IsOptional() @IsBackoff()
  backoff?: Backoff;
}

/** The policy for a message whose handler throws. */
export class RetryOptions {
  /** Attempts in all, the first one included, 1 to 1000. Default 5. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 1_000 })
  attempts?: number = 5;

  /** `fixed()`, `exponential()` or `custom()`. Default `exponential('1s', { max: '5m' })`. */
  @IsOptional() @IsBackoff()
  backoff?: Backoff = DEFAULT_BACKOFF;

  /** Error classes that are never worth another attempt. Default none. */
  @IsOptional() @AreErrorClasses()
  deadLetterOn?: readonly ErrorClass[] = [];

  /** Error classes that end the message: it counts as handled, and as discarded. `deadLetterOn` goes before it. Default none. */
  @IsOptional() @AreErrorClasses()
  discardOn?: readonly ErrorClass[] = [];

  /** Other attempts and back-offs for some errors: the first that fits counts. Default none. */
  @IsOptional() @IsArray()
  on?: readonly RetryRuleOptions[] = [];

  /**
   * How long a message of a type that this process does not know, or of a newer version, is tried before it is dead-lettered:
   * while an application is rolled out another process may know it. Counted from its first failure; it takes no attempt.
   * `'0ms'` to `'7d'`. Default `'10m'`. Without effect on broadcasts.
   */
  @IsOptional() @IsDurationOption({ min: '0ms', max: '7d' })
  unknownFor?: Duration = '10m';
}

/** How many messages a group is given, over all its processes. */
export class RateLimitOptions {
  /** Messages each `per`, and at once after a quiet time, 1 to 1000000. Required. */
  @IsWholeNumber({ min: 1, max: 1_000_000 })
  messages!: number;

  /** `'10ms'` to `'1d'`. Required. */
  @IsDurationOption({ min: '10ms', max: '1d' })
  per!: Duration;
}

/** The options of every handler of messages, with a group or without. */
export class MessageHandlerOptions {
  /** Messages handled at once in this process, 1 to 1000. Default 16. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 1_000 })
  concurrency?: number = 16;

  /** Default 5 attempts, from 1 second to 5 minutes apart. At most 1000 messages of a broadcast wait for another attempt. */
  @IsOptional() @IsObject()
  retry?: RetryOptions = {};

  /**
   * How long an attempt may take, `'1ms'` to `'1d'`. When it is over `ctx.signal` aborts, the attempt fails with
   * TIMEOUT and is retried by the policy, and its slot is free: the result of the handler counts for nothing then, and its
   * work may overlap the next attempt. With the inbox its transaction is rolled back. Default: no limit.
   */
  @IsOptional() @IsDurationOption({ min: '1ms', max: '1d' })
  timeout?: Duration;

  /** The messages that the handler is for. Default: all. */
  @IsOptional() @IsObject()
  filter?: FilterOptions;
}

/** Options of `@Subscribe`: its second argument. */
export class SubscribeOptions<Payload = unknown> extends MessageHandlerOptions {
  /** The consumer group: every group gets each message, and inside a group one process handles it. Required. */
  @IsName('group')
  group!: string;

  /**
   * How many messages the handlers of the group are given, over all its processes; retries count, filtered messages do not.
   * After a quiet time up to `messages` come at once; so may those for which waiting processes hold permits, for `per` at
   * the most. Over time it is never more than the rate. Give it the same in every process. Default: no limit.
   */
  @IsOptional() @IsObject()
  rateLimit?: RateLimitOptions;

  /**
   * Pauses the subscription in a process where its handler fails on nearly every message, as with a bad build or a dependency
   * that is down: the backlog stays, and does not become dead letters. It tries a few messages after a second, and after longer
   * pauses then. It goes on by itself when they succeed, or at once by `Groups.resume()`. Attempts do not count meanwhile.
   * `false` for never. Default: when more than 90 % of the last 20 messages fail.
   */
  @IsOptional() @IsBooleanOrOptions()
  breaker?: boolean | BreakerOptions = true;

  /**
   * How many dead letters are kept in each partition: by default 90 days, 100000 and 64 MiB. The oldest go first, but not before
   * `@OnDeadLetter` was called for them, as long as a process with such a method runs. Give it the same in every process.
   */
  @IsOptional() @IsObject()
  deadLetters?: DeadLettersOptions = {};

  /** A message with this many crashes is dead-lettered, 1 to 1000. Default 10. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 1_000 })
  crashLimit?: number = 10;

  /**
   * Where the group begins when it is new: `'earliest'` (all that is retained), `'latest'`, a `Date`, or `{ offset: 42 }` in
   * each partition. Without effect on a group that is there. Default `'earliest'`.
   */
  @IsOptional() @IsPosition()
  start?: Position = 'earliest';

  /**
   * How safe an outcome is before it counts: `'server'` (Redis has it), `replicated(1)` or `fsynced()`. It is written again until
   * it is, and holds its slot for so long. Without replicas that have it, a failover may give handled messages again.
   * Default `'server'`.
   */
  @IsOptional() @IsDurability()
  durability?: Durability = 'server';

  /** Run the handler inside a SQL transaction that takes effect once a message. Default false. */
  @IsOptional() @IsBoolean()
  inbox?: boolean = false;

  /**
   * Handle messages with the same key once, by a ledger in Redis: of the same key the group handles one message at a time, and
   * none when one is done; the others are acknowledged and count as deduplicated. `true`, or an object of options. A process that
   * dies between the effect and the record repeats the effect: only the inbox is safe from that. Default false.
   */
  @IsOptional() @IsBooleanOrOptions()
  idempotency?: boolean | IdempotencyOptions<Payload, DeliveryContext> = false;

  /**
   * The order in which the group handles messages: `'key'`, those of one key one after the other, beside those of other keys;
   * `'partition'`, all of a partition one after the other. The next begins when the one before it is done: handled, discarded or
   * given up, also when it is retried meanwhile, or its process dies. Give it the same in every process. Default: no order, and
   * whoever is free handles the next message.
   */
  @IsOptional() @IsOneOf(ORDERS)
  ordering?: Order;

  /**
   * With `ordering`, when a message has failed for good: `'dead-letter'`, it becomes a dead letter and those behind it go on;
   * `'park'`, with `'key'` alone, the messages of its key wait until an operator releases the key; `'stop'`, its partition stops
   * there until an operator resumes it. Default `'dead-letter'`.
   */
  @IsOptional() @IsOnExhausted()
  onExhausted?: OnExhausted;
}

function AreErrorClasses(): PropertyDecorator {
  return ValidateBy({
    name: 'areErrorClasses',
    validator: {
      validate: (value: unknown) => Array.isArray(value) && value.every((item) => typeof item === 'function'),
      defaultMessage: (given?: ValidationArguments) => `${given?.property ?? 'it'} must be a list of error classes`,
    },
  });
}
