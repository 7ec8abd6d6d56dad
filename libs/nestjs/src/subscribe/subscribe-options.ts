import { type Backoff, exponential, IsName } from '@millrace/core';
import { IsArray, IsBoolean, IsInt, IsObject, IsOptional, Max, Min, ValidateBy } from 'class-validator';

/** What happens to a message whose handler throws. */
export class RetryOptions {
  /** Attempts in all, the first one included, 1 to 1000. Default 5. */
  @IsOptional() @IsInt() @Min(1) @Max(1_000)
  attempts?: number = 5;

  /** Default `exponential('1s', { max: '5m' })`. */
  @IsOptional() @IsBackoff()
  backoff?: Backoff = exponential('1s', { max: '5m' });

  /** Error classes that are never worth another attempt. Default none. */
  @IsOptional() @IsArray() @AreErrorClasses()
  deadLetterOn?: readonly (abstract new (...args: never[]) => Error)[] = [];
}

/** What `@Subscribe` takes after the topic. */
export class SubscribeOptions {
  /** The consumer group: every group gets each message, and inside a group one process handles it. Required. */
  @IsName('group')
  group!: string;

  /** Messages in this process's hands at once, 1 to 1000. Default 16. */
  @IsOptional() @IsInt() @Min(1) @Max(1_000)
  concurrency?: number = 16;

  /** Default 5 attempts, from 1 second to 5 minutes apart. */
  @IsOptional() @IsObject()
  retry?: RetryOptions = {};

  /** A message whose process vanished this often is dead-lettered, 1 to 1000. Default 10. */
  @IsOptional() @IsInt() @Min(1) @Max(1_000)
  crashLimit?: number = 10;

  /** Run the handler inside a SQL transaction that takes effect once a message. Default false. */
  @IsOptional() @IsBoolean()
  inbox?: boolean = false;
}

function IsBackoff(): PropertyDecorator {
  return ValidateBy({
    name: 'isBackoff',
    validator: { validate: isBackoff, defaultMessage: () => "backoff must come from fixed('5s') or exponential('1s', { max: '5m' })" },
  });
}

function AreErrorClasses(): PropertyDecorator {
  return ValidateBy({
    name: 'areErrorClasses',
    validator: {
      validate: (value: unknown) => Array.isArray(value) && value.every((item) => typeof item === 'function'),
      defaultMessage: () => 'deadLetterOn must be a list of error classes',
    },
  });
}

function isBackoff(value: unknown): boolean {
  const { kind, delayMs, maxMs } = (value ?? {}) as Partial<Backoff>;
  return (kind === 'fixed' || kind === 'exponential') && typeof delayMs === 'number' && typeof maxMs === 'number';
}
